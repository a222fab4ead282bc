//! Which requests are traced, as `OTEL_TRACES_SAMPLER` says.

use super::context::{Remote, TraceId};

/// What a request without a caller's word on it is judged by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Share {
    All,
    None,
    /// Of a trace's id, so that all who see the trace judge alike.
    Ratio(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    pub share: Share,
    /// Whether a caller's decision holds here, too.
    pub obeys_parent: bool,
}

impl Sampler {
    pub fn samples(&self, trace: TraceId, parent: Option<&Remote>) -> bool {
        match parent {
            Some(parent) if self.obeys_parent => parent.is_sampled,
            _ => self.share.has(trace),
        }
    }
}

impl Share {
    fn has(self, trace: TraceId) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Ratio(ratio) => {
                // The upper part of the half that other implementations compare.
                let [.., a, b, c, d, _, _, _, _] = trace.0.to_be_bytes();
                f64::from(u32::from_be_bytes([a, b, c, d])) < ratio * 4_294_967_296.0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::context::SpanId, *};

    fn remote(is_sampled: bool) -> Remote {
        Remote {
            trace: TraceId(1),
            span: SpanId(1),
            is_sampled,
            state: String::new(),
        }
    }

    #[test]
    fn a_caller_is_obeyed_only_by_samplers_that_say_so() {
        for share in [Share::All, Share::None, Share::Ratio(0.5)] {
            for is_sampled in [true, false] {
                let sampler = Sampler {
                    share,
                    obeys_parent: true,
                };
                let is_traced = sampler.samples(TraceId(1), Some(&remote(is_sampled)));
                assert_eq!(is_traced, is_sampled);
            }
        }
        let sampler = Sampler {
            share: Share::None,
            obeys_parent: false,
        };
        assert!(!sampler.samples(TraceId(1), Some(&remote(true))));
    }

    #[test]
    fn a_ratio_is_the_share_of_traces() {
        for (ratio, half, expected) in [
            (0.0, 0, false),
            (1.0, u64::MAX, true),
            (0.5, (1 << 63) - 2, true),
            (0.5, 1 << 63, false),
            (0.25, 1 << 62, false),
            (0.25, (1 << 62) - 2_048, true),
        ] {
            // The other half does not matter.
            for other in [0, u128::MAX << 64] {
                let trace = TraceId(other | u128::from(half));
                let samples = Share::Ratio(ratio).has(trace);
                assert_eq!(samples, expected, "{ratio} of {trace}");
            }
        }
        let share = Share::Ratio(0.1);
        let sampled = (0..10_000).filter(|_| share.has(TraceId::random())).count();
        assert!((500..2_000).contains(&sampled), "{sampled}");
    }
}
