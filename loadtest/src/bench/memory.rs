//! What cached links take in memory.

use std::sync::Arc;

use anyhow::ensure;
use harness::service::Service;

use super::{
    Plan, Section, Stage,
    client::{Client, Pace},
    footprint,
    links::{self, Links},
    ours,
};

/// Room for each of them; more than it needs.
const CACHE_BYTES: u64 = 512;

const CONNECTIONS: u32 = 32;

pub(super) async fn measure(plan: &Plan, stage: &Stage) -> anyhow::Result<Section> {
    let links = Links {
        count: plan.cached_urls,
    };
    println!("\nmemory: {} links, each asked for once", links.count);
    let database = stage.migrated_database().await?;
    links.fill(&mut stage.connect(&database).await).await?;
    let cache_bytes = u64::from(links.count) * CACHE_BYTES;
    let service = Service::builder(&database)
        .env("SHORTENER_CACHE_MAX_BYTES", cache_bytes.to_string())
        .start()
        .await;
    let now = || -> anyhow::Result<(f64, f64)> {
        let of = |field| footprint::memory(service.pid(), field);
        Ok((of("VmRSS")?, of("RssAnon")?))
    };
    let ask = |count: u32, method: &'static str| {
        let client = Client {
            core: stage.cores.client,
            addr: service.addr(),
            connections: CONNECTIONS,
            requests: Arc::new(move |number| {
                format!(
                    "{method} /{} HTTP/1.1\r\nHost: sho.rt\r\n\r\n",
                    links::code(number + 1)
                )
                .into_bytes()
            }),
            status: 302,
        };
        client.run(Pace::Count(count))
    };
    // What the first requests take is no cache.
    ask(1_000.min(links.count), "HEAD")?;
    let (resident_before, before) = now()?;
    let known_before = ours::gauge(&service, "shortener_cache_links").await;
    ask(links.count, "HEAD")?;
    let (resident, after) = now()?;
    let known = ours::gauge(&service, "shortener_cache_links").await;
    let told = ours::gauge(&service, "shortener_cache_bytes").await;
    let verdict = match (known_before, known, told) {
        (Some(known_before), Some(known), Some(told)) => {
            ensure!(
                known >= u64::from(links.count) / 100 * 98,
                "{known} of {} links are in the cache",
                links.count
            );
            let grown = (after - before) * 1024.0 * 1024.0;
            format!(
                "Bytes per cached link, by what the process has grown by: **{:.0}**; by the cache's own account: {:.0}.",
                grown / number(known - known_before),
                number(told) / number(known)
            )
        }
        _ => "This build has no cache of links.".to_owned(),
    };
    let row = |what: &str, resident: f64, own: f64| {
        vec![
            what.to_owned(),
            format!("{resident:.1}"),
            format!("{own:.1}"),
        ]
    };
    Ok(Section {
        title: "Memory of cached links",
        about: format!(
            "One process on Postgres, asked once for each of {} links, by `HEAD`, so that no clicks take part. The links lead to\n\
             URLs of {} bytes.",
            links.count,
            links::original_url(links.count).len()
        ),
        header: vec!["when", "VmRSS, MB", "of it RssAnon, MB"],
        rows: vec![
            row("after the first thousand", resident_before, before),
            row("after all", resident, after),
        ],
        verdict,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a million")]
fn number(count: u64) -> f64 {
    count as f64
}
