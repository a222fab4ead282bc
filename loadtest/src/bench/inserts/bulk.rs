//! `POST /urls/bulk` against a plain `copy` of the same file into a table of the same columns and indexes.

use std::time::{Duration, Instant};

use anyhow::ensure;
use harness::{
    database::Database,
    service::{Service, try_send},
};
use reqwest::{
    Method,
    multipart::{Form, Part},
};

use super::store;
use crate::bench::{Plan, Section, Stage, links::Links, spread::Spread};

/// What a load may take before it is given up.
const PATIENCE: Duration = Duration::from_mins(30);

const TARGET: f64 = 0.4;

pub(in crate::bench) async fn measure(plan: &Plan, stage: &Stage) -> anyhow::Result<Section> {
    let links = Links {
        count: plan.bulk_urls,
    };
    println!(
        "\nbulk: {} rows, `POST /urls/bulk` and `copy` in turn",
        links.count
    );
    let database = Database::in_cluster(&stage.cluster).await;
    let service = Service::start(&database).await;
    let answer = service.upload("/users/bulk", links.users_file()).await;
    ensure!(answer.status == 201, "{answer:?}");
    let mut connection = stage.connect(&database).await;
    store::make_plain(&mut connection).await?;
    let file = links.file();
    let (mut loads, mut copies) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        for turn in 0..2 {
            store::reset(&mut connection).await?;
            let is_load = (round + turn).is_multiple_of(2);
            let started = Instant::now();
            if is_load {
                load(&service, file.clone()).await?;
                loads.push(rate(links, started));
            } else {
                store::copy(&mut connection, file.as_bytes()).await?;
                copies.push(rate(links, started));
            }
            let (in_url, in_plain) = store::count(&mut connection).await?;
            ensure!(
                if is_load { in_url } else { in_plain } == i64::from(links.count),
                "{in_url} rows were loaded, {in_plain} copied"
            );
        }
    }
    let ratio = Spread::of(loads.iter().zip(&copies).map(|(load, copy)| load / copy));
    let row =
        |name: &str, rates: Vec<f64>| vec![name.to_owned(), format!("{:.0}", Spread::of(rates))];
    Ok(Section {
        title: "Loading links",
        about: format!(
            "A file of {} URLs ({} MB) is sent to `POST /urls/bulk`, which checks every field, owner and code, against one client's\n\
             `copy … (format csv)` of the same file into a table of the same columns and indexes, without foreign keys.",
            links.count,
            file.len() / 1_000_000
        ),
        header: vec!["what", "rows per second"],
        rows: vec![row("`POST /urls/bulk`", loads), row("plain `copy`", copies)],
        verdict: format!(
            "Rows per second, loaded ÷ copied: **{ratio:.2}**. Target: at least {TARGET}."
        ),
    })
}

fn rate(links: Links, started: Instant) -> f64 {
    f64::from(links.count) / started.elapsed().as_secs_f64()
}

async fn load(service: &Service, file: String) -> anyhow::Result<()> {
    let part = Part::bytes(file.into_bytes())
        .file_name("urls.csv")
        .mime_str("text/csv")?;
    let request = service
        .request(Method::POST, "/urls/bulk")
        .timeout(PATIENCE)
        .multipart(Form::new().part("file", part));
    let answer = try_send(request).await?;
    ensure!(answer.status == 201, "{answer:?}");
    Ok(())
}
