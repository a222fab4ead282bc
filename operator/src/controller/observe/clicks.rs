//! Clicks that were lost, and journals that nobody records: what the replicas' own metrics say.

use std::time::Duration;

use futures_util::future;

/// A replica that takes longer has other worries.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sums over the replicas that answered; nothing, if none did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Clicks {
    pub lost: Option<i64>,
    pub abandoned: Option<i64>,
}

pub async fn observe(http: &reqwest::Client, addresses: &[String]) -> Clicks {
    let texts = addresses.iter().map(|address| read(http, address));
    let texts: Vec<_> = future::join_all(texts)
        .await
        .into_iter()
        .flatten()
        .collect();
    let values = |name: &str| {
        texts
            .iter()
            .filter_map(|text| value(text, name))
            .collect::<Vec<_>>()
    };
    let (lost, abandoned) = (
        values("shortener_clicks_lost_total"),
        values("shortener_journals_abandoned"),
    );
    Clicks {
        lost: (!lost.is_empty()).then(|| lost.iter().sum()),
        // Each replica sees the same ones.
        abandoned: abandoned.into_iter().max(),
    }
}

async fn read(http: &reqwest::Client, address: &str) -> Option<String> {
    let host = if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    let answer = http
        .get(format!("http://{host}:8081/metrics"))
        .timeout(PATIENCE)
        .send()
        .await
        .ok()?;
    answer.text().await.ok()
}

/// The value of a metric without labels.
fn value(text: &str, name: &str) -> Option<i64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    let value: f64 = line.trim().parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "clicks are counted in whole numbers, far below 2^53"
    )]
    Some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let text = "# TYPE a counter\na_total 3\na 12\n";
        assert_eq!(value(text, "a"), Some(12));
        assert_eq!(value(text, "b"), None);
    }
}
