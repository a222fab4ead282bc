//! What a click costs the redirect that it belongs to: processor time of the append to the journal.

use std::{cell::RefCell, thread};

use anyhow::Context as _;
use axum::http::{
    HeaderMap, HeaderValue,
    header::{
        ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONNECTION, HOST, HeaderName, REFERER, USER_AGENT,
    },
};
use loadtest::chance::Random;
use shortener::{
    clicks::{
        journal::{Journal, JournalDirectory, Options},
        visit::Purpose,
        visitor::Salt,
    },
    database::timestamp::Timestamp,
};

use super::{
    Plan, Section, meter,
    spread::Spread,
    traffic::{Click, Traffic},
};

/// Appended per thread and round.
const RECORDS: u32 = 500_000;

/// Told apart, and appended over and over.
const CLICKS: u64 = 4_096;

const TARGET_NS: f64 = 1_000.0;

/// Headers that say why a browser asks; the service looks for each.
static PURPOSES: [HeaderName; 4] = [
    HeaderName::from_static("sec-purpose"),
    HeaderName::from_static("purpose"),
    HeaderName::from_static("x-moz"),
    HeaderName::from_static("x-purpose"),
];

/// A click as it is known to a handler.
struct Request<'a> {
    click: Click<'a>,
    headers: HeaderMap,
}

pub(super) fn measure(plan: &Plan) -> anyhow::Result<Section> {
    let traffic = Traffic::new(100_000);
    let mut random = Random::new(1);
    let requests: Vec<_> = (0..CLICKS)
        .map(|_| request(traffic.click(&mut random)))
        .collect();
    let salt = Salt::new([7; 32]);
    let at = Timestamp::now().micros();
    let records: Vec<_> = requests
        .iter()
        .map(|request| {
            let mut record = Vec::new();
            request.click.write(at, &salt, &mut record);
            record
        })
        .collect();
    let mean_bytes = records.iter().map(Vec::len).sum::<usize>() / records.len();

    let mut kinds = Vec::new();
    for threads in [1, 2] {
        kinds.push(("append alone", threads, Vec::new()));
        kinds.push(("headers, hash, encoding and append", threads, Vec::new()));
    }
    for _ in 0..plan.rounds {
        for (name, threads, costs) in &mut kinds {
            let cost = if name.starts_with("append") {
                cost(*threads, |journal, number| {
                    _ = journal.append(&records[number % records.len()]);
                })
            } else {
                cost(*threads, |journal, number| {
                    append(journal, &requests[number % requests.len()], &salt);
                })
            };
            costs.push(cost?);
        }
    }

    let mut worst: f64 = 0.0;
    let mut rows = Vec::new();
    for (name, threads, costs) in kinds {
        let spread = Spread::of(costs);
        worst = worst.max(spread.median);
        rows.push(vec![
            name.to_owned(),
            threads.to_string(),
            format!("{spread:.0}"),
        ]);
    }
    Ok(Section {
        title: "Appending a click",
        about: format!(
            "Processor time per click of {RECORDS} appends per thread to one journal, in records of {mean_bytes} bytes on average:\n\
             the append alone, and with all that a redirect does for its click (finding the headers, the visitor's hash, the\n\
             record's encoding)."
        ),
        header: vec!["what", "threads", "ns of CPU per click"],
        rows,
        verdict: format!("Target: at most {TARGET_NS:.0} ns. The dearest: {worst:.0} ns."),
    })
}

fn request(click: Click<'_>) -> Request<'_> {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (HOST, "go.example.com"),
        (CONNECTION, "keep-alive"),
        (USER_AGENT, click.user_agent),
        (
            ACCEPT,
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        ),
        (ACCEPT_LANGUAGE, "de,en-US;q=0.7,en;q=0.3"),
        (ACCEPT_ENCODING, "gzip, deflate, br, zstd"),
        (REFERER, click.referrer),
    ] {
        if !value.is_empty() {
            headers.insert(name, HeaderValue::from_str(value).expect("plain text"));
        }
    }
    Request { click, headers }
}

/// What `Clicks::append` does, which a benchmark cannot call without a database behind it.
fn append(journal: &Journal, request: &Request<'_>, salt: &Salt) {
    thread_local! {
        static RECORD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    let header = |name| {
        request
            .headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .unwrap_or_default()
    };
    let purposes = PURPOSES
        .iter()
        .filter_map(|name| request.headers.get(name)?.to_str().ok());
    let click = Click {
        user_agent: header(USER_AGENT),
        referrer: header(REFERER),
        ..request.click
    };
    std::hint::black_box(Purpose::of(purposes));
    RECORD.with_borrow_mut(|record| {
        click.write(Timestamp::now().micros(), salt, record);
        _ = journal.append(record);
    });
}

/// Nanoseconds of processor time per call of `append`, which is given the journal and a running number.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a few seconds")]
fn cost(threads: u32, append: impl Fn(&Journal, usize) + Sync) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let journals = JournalDirectory::open(folder.path())?;
    let journal = journals.create(Options::default(), || {})?;
    let before = meter::of_this_process();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..RECORDS as usize).for_each(|number| append(&journal, number)));
        }
    });
    let taken = meter::of_this_process().saturating_sub(before);
    Ok(taken.as_nanos() as f64 / f64::from(RECORDS * threads))
}
