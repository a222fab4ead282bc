//! Where in a trace a request stands: the headers `traceparent` and `tracestate` (W3C Trace Context, level 2, sections 3.2
//! and 3.3).

use std::fmt;

use axum::http::{HeaderMap, HeaderName};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// What of `tracestate` everybody has to pass on (section 3.3.1.5).
const MAX_STATE: usize = 512;
const MAX_STATE_MEMBERS: usize = 32;

/// The length of `00-{32 digits}-{16 digits}-{2 digits}`.
const LENGTH: usize = 55;

const SAMPLED: u8 = 1;

/// Names a trace. Never zero.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TraceId(pub u128);

/// Names a span within its trace. Never zero.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SpanId(pub u64);

impl TraceId {
    pub fn random() -> Self {
        Self(rand::random::<u128>().max(1))
    }
}

impl SpanId {
    pub fn random() -> Self {
        Self(rand::random::<u64>().max(1))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The caller's span, as it came with a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remote {
    pub trace: TraceId,
    pub span: SpanId,
    pub is_sampled: bool,
    /// What other vendors' systems know of the trace; not ours to read.
    pub state: String,
}

impl Remote {
    /// `None` if there is none, or one that the standard has us take no notice of.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(TRACEPARENT).iter();
        let (Some(parent), None) = (given.next(), given.next()) else {
            return None;
        };
        let mut remote = Self::parse(parent.to_str().ok()?)?;
        remote.state = state(headers);
        Some(remote)
    }

    fn parse(text: &str) -> Option<Self> {
        let version = lower_hex(text.get(..2)?)?;
        let is_known = version == 0;
        let end = text.get(LENGTH..)?;
        // A later version may append more, behind another dash.
        let is_whole = end.is_empty() || (!is_known && end.starts_with('-'));
        if version == 0xff || !is_whole {
            return None;
        }
        for dash in [2, 35, 52] {
            if text.as_bytes()[dash] != b'-' {
                return None;
            }
        }
        let trace = lower_hex(text.get(3..35)?)?;
        let span = u64::try_from(lower_hex(text.get(36..52)?)?).ok()?;
        let flags = u8::try_from(lower_hex(text.get(53..55)?)?).ok()?;
        (trace != 0 && span != 0).then(|| Self {
            trace: TraceId(trace),
            span: SpanId(span),
            is_sampled: flags & SAMPLED != 0,
            state: String::new(),
        })
    }
}

/// Capital letters are not allowed (section 3.2.2).
fn lower_hex(digits: &str) -> Option<u128> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_valid = digits.bytes().all(is_digit);
    is_valid.then(|| u128::from_str_radix(digits, 16).ok())?
}

/// The members of all headers, as one; none if that is more than has to be passed on.
fn state(headers: &HeaderMap) -> String {
    let given = headers.get_all(TRACESTATE).iter();
    let texts: Vec<_> = given.filter_map(|value| value.to_str().ok()).collect();
    let joined = texts.join(",");
    let members = joined.split(',').count();
    if joined.len() > MAX_STATE || members > MAX_STATE_MEMBERS {
        return String::new();
    }
    joined
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn of(headers: &[(&HeaderName, &str)]) -> Option<Remote> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        Remote::of(&map)
    }

    #[test]
    fn a_callers_span_is_read() {
        let remote = of(&[
            (&TRACEPARENT, &format!("00-{TRACE}-{SPAN}-01")),
            (&TRACESTATE, "rojo=1"),
            (&TRACESTATE, "congo=2"),
        ])
        .unwrap();
        assert_eq!(remote.trace.to_string(), TRACE);
        assert_eq!(remote.span.to_string(), SPAN);
        assert!(remote.is_sampled);
        assert_eq!(remote.state, "rojo=1,congo=2");
    }

    #[test]
    fn only_the_lowest_flag_says_that_the_caller_samples() {
        for (flags, is_sampled) in [("00", false), ("01", true), ("02", false), ("ff", true)] {
            let remote = of(&[(&TRACEPARENT, &format!("00-{TRACE}-{SPAN}-{flags}"))]).unwrap();
            assert_eq!(remote.is_sampled, is_sampled, "{flags}");
        }
    }

    #[test]
    fn a_later_version_may_say_more() {
        for text in [
            format!("01-{TRACE}-{SPAN}-01"),
            format!("cc-{TRACE}-{SPAN}-01-and-more"),
        ] {
            assert!(of(&[(&TRACEPARENT, &text)]).is_some(), "{text}");
        }
    }

    #[test]
    fn what_the_standard_calls_invalid_is_not_there() {
        for text in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-01."),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("cc-{TRACE}-{SPAN}-01.more"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}_{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-+1"),
            format!("00-+{}-{SPAN}-01", &TRACE[1..]),
        ] {
            assert_eq!(of(&[(&TRACEPARENT, &text)]), None, "{text}");
        }
        let parent = format!("00-{TRACE}-{SPAN}-01");
        let twice = [(&TRACEPARENT, &*parent), (&TRACEPARENT, &*parent)];
        assert_eq!(of(&twice), None);
    }

    #[test]
    fn a_state_that_is_too_long_is_not_passed_on() {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        let state = |text: &str| {
            of(&[(&TRACEPARENT, &parent), (&TRACESTATE, text)])
                .unwrap()
                .state
        };
        assert_eq!(state("a=1"), "a=1");
        assert_eq!(state(&"a".repeat(MAX_STATE + 1)), "");
        assert_eq!(state(&["a=1"; MAX_STATE_MEMBERS + 1].join(",")), "");
    }
}
