//! Settings of tracing, by the names that OpenTelemetry gives them for every program.

use std::path::PathBuf;

use crate::config::Secret;

#[derive(clap::Args, Clone, Debug)]
pub struct TraceArguments {
    /// Where traces go: a collector that takes OTLP over HTTP, such as `http://collector:4318`, to which `/v1/traces` is
    /// appended. Without it nothing is traced.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otel_exporter_otlp_endpoint: Option<String>,

    /// The same for traces alone, with its whole path.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")]
    pub otel_exporter_otlp_traces_endpoint: Option<String>,

    /// How traces are sent. OTLP over gRPC is not supported.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_PROTOCOL", value_enum, default_value_t = Protocol::HttpProtobuf)]
    pub otel_exporter_otlp_protocol: Protocol,

    /// Headers that the collector wants, such as a key: `name=value`, separated by commas, with %XX for what is special.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_HEADERS", hide_env_values = true)]
    pub otel_exporter_otlp_headers: Option<Secret>,

    /// File that holds these headers, instead of giving them directly.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_HEADERS_FILE")]
    pub otel_exporter_otlp_headers_file: Option<PathBuf>,

    /// How long the collector may take to answer, in milliseconds. No request waits for it.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TIMEOUT", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub otel_exporter_otlp_timeout: u64,

    /// What this service is called in traces.
    #[arg(long, env = "OTEL_SERVICE_NAME", default_value = "shortener")]
    pub otel_service_name: String,

    /// What else is to be said of this service in traces: `name=value`, separated by commas, such as
    /// `deployment.environment.name=production`.
    #[arg(long, env = "OTEL_RESOURCE_ATTRIBUTES")]
    pub otel_resource_attributes: Option<String>,

    /// Which requests are traced. `traceidratio` takes the share that `OTEL_TRACES_SAMPLER_ARG` says; what begins with
    /// `parentbased` does as the caller's `traceparent` says, if there is one.
    #[arg(long, env = "OTEL_TRACES_SAMPLER", value_enum, default_value_t = SamplerName::ParentbasedAlwaysOn)]
    pub otel_traces_sampler: SamplerName,

    /// The share of requests that are traced, from 0 to 1, for samplers that ask for one.
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value_t = 1.0, value_parser = parse_share)]
    pub otel_traces_sampler_arg: f64,

    /// `true` to trace nothing, whatever else is set.
    #[arg(long, env = "OTEL_SDK_DISABLED", action = clap::ArgAction::Set, default_value_t = false, value_parser = parse_switch)]
    pub otel_sdk_disabled: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    #[value(name = "http/protobuf")]
    HttpProtobuf,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, Eq, PartialEq)]
#[value(rename_all = "snake_case")]
pub enum SamplerName {
    AlwaysOn,
    AlwaysOff,
    #[value(name = "traceidratio")]
    TraceIdRatio,
    ParentbasedAlwaysOn,
    ParentbasedAlwaysOff,
    #[value(name = "parentbased_traceidratio")]
    ParentbasedTraceIdRatio,
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share: Result<f64, _> = text.parse();
    share
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "is no share from 0 to 1".to_owned())
}

/// The standard has everything but `true` mean `false`; a typing error is better told.
fn parse_switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("is neither true nor false".to_owned()),
    }
}
