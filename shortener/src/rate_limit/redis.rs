//! Limits over all replicas, in Redis.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use redis::Script;

use super::{
    client::Client,
    gcra::{Rate, Verdict},
};
use crate::redis_client::{Away, Redis};

/// The algorithm of `gcra.rs`, on Redis' own clock, in microseconds. Key: the client. Arguments: the interval, the burst.
/// Answers whether it is allowed, how many remain, until when to wait, until when the bucket is full.
static JUDGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local interval = tonumber(ARGV[1])
        local room = interval * tonumber(ARGV[2])
        local before = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
        local after = before + interval
        if after - now > room then
            return {0, 0, math.ceil(after - now - room), math.ceil(before - now)}
        end
        redis.call('SET', KEYS[1], string.format('%.3f', after), 'PX', math.ceil((after - now) / 1000) + 1)
        return {1, math.floor((room - (after - now)) / interval), 0, math.ceil(after - now)}",
    )
});

pub(super) async fn judge(
    redis: &Arc<Redis>,
    installation: &str,
    client: Client,
    rate: Rate,
) -> Result<Verdict, Away> {
    let line = redis.line()?;
    let mut call = JUDGE.key(format!("shortener:{installation}:limit:{client}"));
    call.arg(1e6 / f64::from(rate.per_second)).arg(rate.burst);
    let mut connection = line.connection.clone();
    let question = call.invoke_async(&mut connection);
    let (is_allowed, remaining, retry, full): (bool, u32, u64, u64) =
        redis.ask(&line, question).await?;
    Ok(Verdict {
        is_allowed,
        remaining,
        retry_after: Duration::from_micros(retry),
        full_after: Duration::from_micros(full),
    })
}
