//! Prints statistics for people.

use serde_json::Value;

use super::{
    print::{self, Table, minute},
    urls::text,
};

/// The breakdowns, and what to call them.
const BREAKDOWNS: [(&str, &str); 5] = [
    ("/referrers", "REFERRER"),
    ("/countries", "COUNTRY"),
    ("/browsers", "BROWSER"),
    ("/operating_systems", "SYSTEM"),
    ("/devices", "DEVICE"),
];

/// Totals, the buckets in which something happened, and where clicks came from.
pub(super) fn print(statistics: &Value) -> anyhow::Result<()> {
    let mut totals = Table::plain();
    let period = format!(
        "{} to {} ({})",
        minute(&text(&statistics["from"])),
        minute(&text(&statistics["to"])),
        text(&statistics["time_zone"])
    );
    totals.row(["period".to_owned(), period]);
    for (member, name) in [
        ("clicks", "clicks"),
        ("unique_visitors", "visitors, about"),
        ("bots", "by robots"),
    ] {
        totals.row([name.to_owned(), text(&statistics[member])]);
    }
    totals.print()?;

    let points = statistics["series"].as_array().into_iter().flatten();
    let happened = |point: &&Value| point["clicks"] != 0 || point["bots"] != 0;
    let points: Vec<_> = points.filter(happened).collect();
    if !points.is_empty() {
        let mut table = Table::new(&["FROM", "CLICKS", "BY ROBOTS"]);
        for point in points {
            table.row([
                minute(&text(&point["start"])),
                text(&point["clicks"]),
                text(&point["bots"]),
            ]);
        }
        print::line("")?;
        table.print()?;
    }
    for (place, name) in BREAKDOWNS {
        let shares = statistics.pointer(place).and_then(Value::as_array);
        let Some(shares) = shares.filter(|shares| !shares.is_empty()) else {
            continue;
        };
        let mut table = Table::new(&[name, "CLICKS"]);
        for share in shares {
            let value = match &share["value"] {
                Value::Null => "(others)".to_owned(),
                value => text(value),
            };
            table.row([value, text(&share["clicks"])]);
        }
        print::line("")?;
        table.print()?;
    }
    Ok(())
}
