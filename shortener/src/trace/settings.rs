//! What the settings of tracing come to.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header, uri::Scheme};

use super::{
    arguments::{SamplerName, TraceArguments},
    message::Attribute,
    sampler::{Sampler, Share},
};
use crate::config::Secret;

const PATH: &str = "/v1/traces";

/// Whether and how requests are traced.
#[derive(Debug)]
pub struct Settings {
    pub endpoint: Uri,
    /// Those that every message has.
    pub headers: HeaderMap,
    pub timeout: Duration,
    pub resource: Vec<Attribute>,
    pub sampler: Sampler,
}

impl TraceArguments {
    pub fn is_on(&self) -> bool {
        let is_told_where = self.otel_exporter_otlp_endpoint.is_some()
            || self.otel_exporter_otlp_traces_endpoint.is_some();
        is_told_where && !self.otel_sdk_disabled
    }

    /// `None` if nothing is to be traced.
    pub fn settings(&self) -> anyhow::Result<Option<Settings>> {
        if !self.is_on() {
            return Ok(None);
        }
        Ok(Some(Settings {
            endpoint: self.endpoint()?,
            headers: self.headers()?,
            timeout: Duration::from_millis(self.otel_exporter_otlp_timeout),
            resource: self.resource()?,
            sampler: self.sampler(),
        }))
    }

    fn endpoint(&self) -> anyhow::Result<Uri> {
        let general = self.otel_exporter_otlp_endpoint.as_deref();
        if let Some(whole) = &self.otel_exporter_otlp_traces_endpoint {
            return endpoint("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", whole);
        }
        let base = general.unwrap_or_default().trim_end_matches('/');
        endpoint("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("{base}{PATH}"))
    }

    fn headers(&self) -> anyhow::Result<HeaderMap> {
        const NAME: &str = "OTEL_EXPORTER_OTLP_HEADERS";

        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-protobuf"),
        );
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("shortener/", env!("CARGO_PKG_VERSION"))),
        );
        let given = Secret::resolve(
            NAME,
            self.otel_exporter_otlp_headers.as_ref(),
            self.otel_exporter_otlp_headers_file.as_ref(),
        )?;
        // They may hold a key: no message repeats them.
        for (name, value) in pairs(NAME, given.as_ref().map_or("", Secret::expose))? {
            let name = HeaderName::try_from(name);
            let name = name.with_context(|| format!("a name in {NAME} is none of a header"))?;
            let value = HeaderValue::try_from(value);
            let mut value = value
                .with_context(|| format!("the value of {name} in {NAME} is none of a header"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }

    fn resource(&self) -> anyhow::Result<Vec<Attribute>> {
        let given = self.otel_resource_attributes.as_deref().unwrap_or_default();
        let mut told = pairs("OTEL_RESOURCE_ATTRIBUTES", given)?;
        told.insert("service.name".to_owned(), self.otel_service_name.clone());
        told.entry("service.version".to_owned())
            .or_insert_with(|| env!("CARGO_PKG_VERSION").to_owned());
        let attribute = |(key, value): (String, String)| Attribute::new(key, value.as_str());
        Ok(told.into_iter().map(attribute).collect())
    }

    fn sampler(&self) -> Sampler {
        let ratio = Share::Ratio(self.otel_traces_sampler_arg);
        let (share, obeys_parent) = match self.otel_traces_sampler {
            SamplerName::AlwaysOn => (Share::All, false),
            SamplerName::AlwaysOff => (Share::None, false),
            SamplerName::TraceIdRatio => (ratio, false),
            SamplerName::ParentbasedAlwaysOn => (Share::All, true),
            SamplerName::ParentbasedAlwaysOff => (Share::None, true),
            SamplerName::ParentbasedTraceIdRatio => (ratio, true),
        };
        Sampler {
            share,
            obeys_parent,
        }
    }
}

fn endpoint(name: &str, text: &str) -> anyhow::Result<Uri> {
    // The value may hold a password, so the message must not repeat it.
    let wrong = || format!("{name} must be an address such as http://collector:4318");
    let uri: Uri = text.parse().ok().with_context(wrong)?;
    let is_http =
        matches!(uri.scheme(), Some(scheme) if [&Scheme::HTTP, &Scheme::HTTPS].contains(&scheme));
    let authority = uri.authority().filter(|_| is_http).with_context(wrong)?;
    if authority.as_str().contains('@') {
        bail!(
            "{name} must hold no password: OTEL_EXPORTER_OTLP_HEADERS is the place for an `authorization`"
        );
    }
    Ok(uri)
}

/// `name=value,name=value`, with `%XX` for what is special, as OpenTelemetry takes it from W3C Baggage.
fn pairs(variable: &str, text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut pairs = BTreeMap::new();
    for member in text.split(',').map(str::trim).filter(|it| !it.is_empty()) {
        let (name, value) = member
            .split_once('=')
            .with_context(|| format!("{variable} must be `name=value`, separated by commas"))?;
        let value = decoded(value.trim())
            .with_context(|| format!("{variable} has a `%` that is not followed by two digits"))?;
        pairs.insert(name.trim().to_owned(), value);
    }
    Ok(pairs)
}

fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        trace: TraceArguments,
    }

    fn of(flags: &[&str]) -> TraceArguments {
        let flags = flags.iter().map(|flag| format!("--otel-{flag}"));
        Line::parse_from(std::iter::once("shortener".to_owned()).chain(flags)).trace
    }

    fn settings(flags: &[&str]) -> Settings {
        of(flags).settings().unwrap().unwrap()
    }

    const ENDPOINT: &str = "exporter-otlp-endpoint=http://collector:4318";

    #[test]
    fn nothing_is_traced_unless_somebody_says_where_to() {
        assert!(of(&[]).settings().unwrap().is_none());
        let disabled = of(&[ENDPOINT, "sdk-disabled=True"]);
        assert!(disabled.settings().unwrap().is_none());
        assert!(of(&[ENDPOINT]).settings().unwrap().is_some());
    }

    #[test]
    fn an_endpoint_for_all_signals_gets_a_path_and_one_for_traces_has_it() {
        for (flags, expected) in [
            (&[ENDPOINT][..], "http://collector:4318/v1/traces"),
            (
                &["exporter-otlp-endpoint=https://otlp.example.com/otlp/"],
                "https://otlp.example.com/otlp/v1/traces",
            ),
            (
                &[ENDPOINT, "exporter-otlp-traces-endpoint=http://other:1/x"],
                "http://other:1/x",
            ),
        ] {
            assert_eq!(settings(flags).endpoint.to_string(), expected);
        }
    }

    #[test]
    fn a_wrong_endpoint_is_refused_without_being_repeated() {
        for wrong in [
            "collector:4318",
            "grpc://collector",
            "unix:/x",
            "http://me:secret@collector",
            "http://",
        ] {
            let flag = format!("exporter-otlp-endpoint={wrong}");
            let error = of(&[&flag]).settings().unwrap_err().to_string();
            assert!(error.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn headers_are_decoded_and_kept_secret() {
        let given = "exporter-otlp-headers= x-key=abc%20d%3D, authorization=Basic%20eA==";
        let headers = settings(&[ENDPOINT, given]).headers;
        assert_eq!(headers["x-key"], "abc d=");
        assert_eq!(headers["authorization"], "Basic eA==");
        assert!(headers["x-key"].is_sensitive());
        for wrong in ["secret", "a b=secret", "a=secret%0A", "a=secret%2"] {
            let arguments = of(&[ENDPOINT, &format!("exporter-otlp-headers={wrong}")]);
            let error = format!("{:#}", arguments.settings().unwrap_err());
            assert!(error.contains("OTEL_EXPORTER_OTLP_HEADERS"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn the_services_name_wins_over_its_attributes() {
        let attributes = "resource-attributes=service.name=other,service.version=9,team=links";
        let resource = settings(&[ENDPOINT, attributes, "service-name=mine"]).resource;
        let expected = [
            Attribute::new("service.name", "mine"),
            Attribute::new("service.version", "9"),
            Attribute::new("team", "links"),
        ];
        assert_eq!(resource, expected);
    }

    #[test]
    fn each_sampler_has_its_standard_name() {
        let sampler = |name: &str| {
            let name = format!("traces-sampler={name}");
            settings(&[ENDPOINT, &name, "traces-sampler-arg=0.25"]).sampler
        };
        for (name, share, obeys_parent) in [
            ("always_on", Share::All, false),
            ("always_off", Share::None, false),
            ("traceidratio", Share::Ratio(0.25), false),
            ("parentbased_always_on", Share::All, true),
            ("parentbased_always_off", Share::None, true),
            ("parentbased_traceidratio", Share::Ratio(0.25), true),
        ] {
            let expected = Sampler {
                share,
                obeys_parent,
            };
            assert_eq!(sampler(name), expected, "{name}");
        }
    }
}
