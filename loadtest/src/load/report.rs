//! What a run came to: a table for the terminal, and a page with plots that needs no script and no network.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    arguments::Plan,
    bounds::Verdict,
    plot::{self, Line},
    record::{Second, Seen, Tally},
    users,
};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 1em;color:#111}\
    table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd}\
    td:first-child,th:first-child{text-align:left}svg{width:100%;margin:1em 0}.grid{stroke:#ddd}\
    .tick{font-size:11px;fill:#555}.title,.key{font-size:13px;font-weight:600}.bad{color:#b91c1c;font-weight:600}";

/// For people at a terminal, and for logs.
pub(crate) fn text(plan: &Plan, seen: &Seen, verdicts: &[Verdict]) -> String {
    let mut text = format!("\n{}\n\n", about(plan));
    _ = writeln!(
        text,
        "{:<12} {:>9} {:>9} {:>8} {:>9} {:>9} {:>9} {:>9}",
        HEADER[0], HEADER[1], HEADER[2], HEADER[3], HEADER[4], HEADER[5], HEADER[6], HEADER[7]
    );
    for row in rows(seen) {
        _ = writeln!(
            text,
            "{:<12} {:>9} {:>9} {:>8} {:>9} {:>9} {:>9} {:>9}",
            row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7]
        );
    }
    for (failure, count) in &seen.all.failures {
        _ = writeln!(text, "  failed: {count} times {failure}");
    }
    for verdict in verdicts {
        let kept = if verdict.is_kept { "ok    " } else { "FAILED" };
        _ = writeln!(text, "{kept} {}", verdict.text);
    }
    text
}

/// Writes the page, and says where it is.
pub(crate) fn write(plan: &Plan, seen: &Seen, verdicts: &[Verdict]) -> io::Result<PathBuf> {
    fs::create_dir_all(&plan.report)?;
    let path = plan.report.join("report.html");
    fs::write(&path, page(plan, seen, verdicts))?;
    Ok(path)
}

/// What was asked, and how.
fn about(plan: &Plan) -> String {
    let scenario = plan.scenario;
    match plan.rate {
        Some(rate) => format!(
            "{scenario:?}: {rate} requests a second, from {} addresses, to {}; latency counts from when a request was due",
            plan.users, plan.service.base_url
        ),
        None => format!(
            "{scenario:?}: {} users with a pause of {:?} between requests, to {}; latency counts from when a request was sent",
            plan.users, plan.pause, plan.service.base_url
        ),
    }
}

const HEADER: [&str; 8] = [
    "", "requests", "a second", "failed", "p50 ms", "p95 ms", "p99 ms", "max ms",
];

fn rows(seen: &Seen) -> Vec<[String; 8]> {
    let kinds = seen.kinds.iter();
    let mut rows: Vec<_> = kinds
        .map(|(kind, tally)| row(&kind.to_string(), tally, seen))
        .collect();
    rows.push(row("all", &seen.all, seen));
    rows
}

fn row(name: &str, tally: &Tally, seen: &Seen) -> [String; 8] {
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let rate = tally.requests() as f64 / seen.length.as_secs_f64().max(0.001);
    let quantile = |part| format!("{:.1}", tally.quantile(part));
    [
        name.to_owned(),
        tally.requests().to_string(),
        format!("{rate:.0}"),
        tally.failed().to_string(),
        quantile(0.5),
        quantile(0.95),
        quantile(0.99),
        quantile(1.0),
    ]
}

fn page(plan: &Plan, seen: &Seen, verdicts: &[Verdict]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Load test</title><style>{STYLE}</style>\n\
         <h1>Load test</h1>\n<p>{}.</p>\n<table><tr>",
        escaped(&about(plan))
    );
    for cell in HEADER {
        _ = write!(page, "<th>{cell}</th>");
    }
    for row in rows(seen) {
        _ = write!(page, "</tr>\n<tr>");
        for cell in row {
            _ = write!(page, "<td>{cell}</td>");
        }
    }
    page.push_str("</tr></table>\n<ul>\n");
    for verdict in verdicts {
        let (class, kept) = if verdict.is_kept {
            ("good", "kept")
        } else {
            ("bad", "not kept")
        };
        let text = escaped(&verdict.text);
        _ = writeln!(page, "<li class=\"{class}\">{text}: {kept}</li>");
    }
    for (failure, count) in &seen.all.failures {
        let text = escaped(&failure.to_string());
        _ = writeln!(page, "<li class=\"bad\">{count} times {text}</li>");
    }
    page.push_str("</ul>\n");
    page.push_str(&plots(seen));
    if Path::new(&plan.report).join(users::REPORT).exists() && plan.rate.is_none() {
        _ = writeln!(
            page,
            "<p><a href=\"{0}\">{0}</a> is what goose says of the same run.</p>",
            users::REPORT
        );
    }
    page + "</html>\n"
}

fn plots(seen: &Seen) -> String {
    #[expect(clippy::cast_precision_loss, reason = "requests of one second")]
    let count = |of: fn(&Second) -> u64| {
        seen.seconds
            .iter()
            .map(|second| of(second) as f64)
            .collect()
    };
    let quantile = |part| {
        let seconds = seen.seconds.iter();
        seconds.map(|second| second.quantile(part)).collect()
    };
    let latency = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];
    let latency = latency.map(|(name, part)| Line {
        name,
        values: quantile(part),
    });
    let requests = [
        Line {
            name: "answered",
            values: count(|second| second.requests - second.failures),
        },
        Line {
            name: "failed",
            values: count(|second| second.failures),
        },
    ];
    plot::draw("Latency, second by second", "ms", &latency)
        + &plot::draw("Requests, second by second", "/s", &requests)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
