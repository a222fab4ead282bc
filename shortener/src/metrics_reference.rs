//! `shortener metrics`: the reference of all metrics, made from the metrics themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use prometheus::proto::{MetricFamily, MetricType};

use crate::{
    client::print,
    database::watch::{POOLS_OF_POSTGRES, POOLS_OF_SQLITE},
    metrics::Metrics,
    telemetry,
};

const INTRODUCTION: &str = "\
# Metrics

<!-- Written by `make generated` from the code that registers them: change it there. -->

At `/metrics` of the management listener, in Prometheus' text format. Names, types and labels hold until the next major version; a
label has these values and no others.

| Metric | Type | Labels | What it says |
| --- | --- | --- | --- |
";

/// Prints the reference as Markdown.
pub fn print() -> anyhow::Result<()> {
    print::write(&reference()?)
}

fn reference() -> anyhow::Result<String> {
    let metrics = Metrics::new()?;
    // Those that depend on settings as well, and on either database.
    metrics.of_redis()?;
    metrics.of_traces()?;
    metrics.of_log(&telemetry::dropped_lines())?;
    let pools = [POOLS_OF_POSTGRES, POOLS_OF_SQLITE].concat();
    metrics.of_database(&pools)?;
    let mut text = INTRODUCTION.to_owned();
    for family in metrics.families() {
        writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            family.name(),
            kind(&family),
            labels(&family),
            family.help().replace('|', "\\|")
        )?;
    }
    Ok(text)
}

fn kind(family: &MetricFamily) -> &'static str {
    match family.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::HISTOGRAM => "histogram",
        _ => "gauge",
    }
}

/// Each label, with the values that it has. A version is another one in each.
fn labels(family: &MetricFamily) -> String {
    let mut labels = BTreeMap::<_, BTreeSet<_>>::new();
    let metrics = family.get_metric().iter();
    for pair in metrics.flat_map(prometheus::proto::Metric::get_label) {
        labels
            .entry(pair.name())
            .or_default()
            .insert(format!("`{}`", pair.value()));
    }
    let label = |(name, values): (&str, BTreeSet<String>)| {
        if name == "version" {
            return "`version`".to_owned();
        }
        let values: Vec<_> = values.into_iter().collect();
        format!("`{name}`: {}", values.join(", "))
    };
    labels.into_iter().map(label).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_type_labels_and_meaning() {
        let reference = reference().unwrap();
        for row in [
            "| `shortener_ready` | gauge |  | 1 once this process can serve, else 0. |",
            "| `shortener_redis_requests_total` | counter | `outcome`: `error`, `ok`, `skipped`, `timeout` | ",
            "| `shortener_edit_barrier_seconds` | histogram |  | ",
            "| `shortener_build_info` | gauge | `version` | ",
        ] {
            assert!(reference.contains(row), "{row} is not in {reference}");
        }
    }
}
