//! Who decides about the number of replicas, and how it passes from one to the other without the number ever jumping.
//!
//! Server-side apply resets a field that its last owner no longer names: `replicas` would fall to 1. So whoever gives the field up
//! first has a second field manager hold it at its value; KEDA's autoscaler takes it from there. Taking it back starts from the
//! value there is, and only once the autoscaler is gone.

use crate::{
    conditions::{About, Finding, Reason},
    crd::scaling::{Autoscaled, Scaling, ScalingType},
};

/// What is known about the replicas there are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Live {
    /// Of the Deployment, if there is one.
    pub replicas: Option<i32>,
    /// Whether our field manager owns the number.
    pub is_ours: bool,
    /// Whether the cluster knows KEDA's ScaledObject.
    pub knows_keda: bool,
    pub scaled_object: ScaledObject,
    /// Whether the autoscaler that KEDA makes is there.
    pub has_autoscaler: bool,
    /// Whether Prometheus has given one sane value.
    pub metrics_flow: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ScaledObject {
    #[default]
    Absent,
    Present,
    /// Deleted, but KEDA, whose finalizer it has, is not there to let it go.
    Blocked,
}

/// What to do about the number.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Scale {
    /// What we apply. None: it is not ours.
    pub replicas: Option<i32>,
    /// What the second field manager is to hold, before we let go.
    pub hand_over: Option<i32>,
    /// Whether KEDA is to decide.
    pub scaled_object: bool,
}

pub fn decide(scaling: &Scaling, live: Live) -> (Scale, Option<Finding>) {
    if let (ScalingType::Autoscaled, Some(autoscaled)) = (scaling.kind, &scaling.autoscaled) {
        let (scale, finding) = autoscale(autoscaled, live);
        return (scale, Some(finding));
    }
    let fixed = scaling.fixed.as_ref();
    fix(
        fixed.map_or(super::DEFAULT_REPLICAS, |fixed| fixed.replicas),
        live,
    )
}

fn fix(wanted: i32, live: Live) -> (Scale, Option<Finding>) {
    if let Some(blocked) = blocked(live) {
        return (kept(live), Some(blocked));
    }
    if live.scaled_object == ScaledObject::Present || live.has_autoscaler {
        let text = "KEDA's autoscaler is being removed; then the number of replicas is set";
        return (kept(live), Some(finding(Reason::HandingBack, text)));
    }
    let scale = Scale {
        replicas: Some(wanted),
        ..Scale::default()
    };
    (scale, None)
}

fn autoscale(autoscaled: &Autoscaled, live: Live) -> (Scale, Finding) {
    if let Some(blocked) = blocked(live) {
        return (kept(live), blocked);
    }
    let current = live.replicas.unwrap_or(autoscaled.min_replicas);
    let current = current.clamp(autoscaled.min_replicas, autoscaled.max_replicas);
    let held = Scale {
        replicas: Some(current),
        hand_over: None,
        scaled_object: live.scaled_object == ScaledObject::Present,
    };
    if !live.knows_keda {
        let text = format!(
            "KEDA is not installed: {current} replicas, until it is. Install KEDA, or set `scaling.type: Fixed`"
        );
        let scale = if live.has_autoscaler {
            kept(live)
        } else {
            held
        };
        return (scale, finding(Reason::CrdNotInstalled, &text));
    }
    if live.replicas.is_none() {
        let text = "KEDA takes over once there are replicas";
        return (held, finding(Reason::HandingOver, text));
    }
    if live.scaled_object == ScaledObject::Present && !live.is_ours {
        let scale = Scale {
            scaled_object: true,
            ..Scale::default()
        };
        let text = format!(
            "KEDA decides between {} and {}",
            autoscaled.min_replicas, autoscaled.max_replicas
        );
        return (scale, finding(Reason::Installed, &text));
    }
    if !live.metrics_flow {
        let text = format!(
            "{current} replicas, until Prometheus has told the rate of requests once; see MetricsFlowing"
        );
        return (held, finding(Reason::WaitingForMetrics, &text));
    }
    let scale = Scale {
        replicas: None,
        hand_over: live.replicas.filter(|_| live.is_ours),
        scaled_object: true,
    };
    (
        scale,
        finding(
            Reason::HandingOver,
            "KEDA is being given the number of replicas",
        ),
    )
}

/// The number stays what it is: ours if it was ours.
fn kept(live: Live) -> Scale {
    Scale {
        replicas: live.replicas.filter(|_| live.is_ours),
        ..Scale::default()
    }
}

fn blocked(live: Live) -> Option<Finding> {
    let text = "the ScaledObject is deleted, but its finalizer is KEDA's, which does not answer. Start KEDA, or take the finalizer off by hand; until then the number of replicas stays";
    (live.scaled_object == ScaledObject::Blocked)
        .then(|| finding(Reason::ScaledObjectBlocked, text))
}

fn finding(reason: Reason, message: &str) -> Finding {
    Finding::new(About::AutoscalingReady, reason, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn autoscaled() -> Scaling {
        serde_json::from_value(json!({
            "type": "Autoscaled",
            "autoscaled": {"minReplicas": 3, "maxReplicas": 20, "prometheus": {"serverAddress": "http://p"}},
        }))
        .unwrap()
    }

    fn ours(replicas: i32) -> Live {
        Live {
            replicas: Some(replicas),
            is_ours: true,
            knows_keda: true,
            ..Live::default()
        }
    }

    #[track_caller]
    fn check(
        scaling: &Scaling,
        live: Live,
        expected: (Option<i32>, Option<i32>, bool),
        reason: Option<Reason>,
    ) {
        let (scale, finding) = decide(scaling, live);
        assert_eq!(
            (scale.replicas, scale.hand_over, scale.scaled_object),
            expected
        );
        assert_eq!(finding.map(|finding| finding.reason), reason);
    }

    #[test]
    fn a_fixed_number_is_applied() {
        check(
            &Scaling::default(),
            Live::default(),
            (Some(2), None, false),
            None,
        );
    }

    #[test]
    fn the_first_replicas_are_ours() {
        let live = Live {
            knows_keda: true,
            ..Live::default()
        };
        check(
            &autoscaled(),
            live,
            (Some(3), None, false),
            Some(Reason::HandingOver),
        );
    }

    #[test]
    fn keda_gets_nothing_before_prometheus_has_told_a_rate() {
        check(
            &autoscaled(),
            ours(5),
            (Some(5), None, false),
            Some(Reason::WaitingForMetrics),
        );
    }

    #[test]
    fn the_number_is_held_by_another_before_we_let_go_of_it() {
        let live = Live {
            metrics_flow: true,
            ..ours(5)
        };
        check(
            &autoscaled(),
            live,
            (None, Some(5), true),
            Some(Reason::HandingOver),
        );
    }

    #[test]
    fn a_number_that_is_kedas_is_left_alone_even_without_metrics() {
        let live = Live {
            is_ours: false,
            scaled_object: ScaledObject::Present,
            has_autoscaler: true,
            ..ours(17)
        };
        check(
            &autoscaled(),
            live,
            (None, None, true),
            Some(Reason::Installed),
        );
    }

    #[test]
    fn a_fixed_number_waits_for_the_autoscaler_to_be_gone() {
        let live = Live {
            is_ours: false,
            has_autoscaler: true,
            ..ours(17)
        };
        check(
            &Scaling::default(),
            live,
            (None, None, false),
            Some(Reason::HandingBack),
        );
        let live = Live {
            has_autoscaler: false,
            ..live
        };
        check(&Scaling::default(), live, (Some(2), None, false), None);
    }

    #[test]
    fn without_keda_the_current_number_is_taken_over() {
        let live = Live {
            is_ours: false,
            knows_keda: false,
            ..ours(17)
        };
        check(
            &autoscaled(),
            live,
            (Some(17), None, false),
            Some(Reason::CrdNotInstalled),
        );
        let live = Live {
            has_autoscaler: true,
            ..live
        };
        check(
            &autoscaled(),
            live,
            (None, None, false),
            Some(Reason::CrdNotInstalled),
        );
    }

    #[test]
    fn a_finalizer_of_keda_is_reported_and_the_number_stays() {
        let live = Live {
            is_ours: false,
            scaled_object: ScaledObject::Blocked,
            ..ours(17)
        };
        check(
            &Scaling::default(),
            live,
            (None, None, false),
            Some(Reason::ScaledObjectBlocked),
        );
    }
}
