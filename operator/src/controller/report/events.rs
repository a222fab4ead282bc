//! Events, for whoever looks at `kubectl describe`. They are a courtesy: one that cannot be written is none that matters.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Resource as _,
    runtime::events::{Event, EventType},
};

use super::super::Context;
use crate::crd::UrlShortener;

/// Tells of what has become good or bad.
pub async fn publish(
    ctx: &Context,
    resource: &UrlShortener,
    previous: &[Condition],
    now: &[Condition],
) {
    for event in events(previous, now) {
        if ctx.may_write().is_err() {
            return;
        }
        if let Err(error) = ctx
            .recorder
            .publish(&event, &resource.object_ref(&()))
            .await
        {
            tracing::debug!(error = %error, "an event could not be written");
        }
    }
}

/// One event when readiness changes, and one when something new is wrong.
fn events(previous: &[Condition], now: &[Condition]) -> Vec<Event> {
    let find = |all: &[Condition], name: &str| {
        all.iter()
            .find(|condition| condition.type_ == name)
            .cloned()
    };
    let mut events = Vec::new();
    for (name, normal_when) in [("Ready", "True"), ("Degraded", "False")] {
        let (Some(now), before) = (find(now, name), find(previous, name)) else {
            continue;
        };
        let is_new =
            before.is_none_or(|before| before.status != now.status || before.reason != now.reason);
        let is_normal = now.status == normal_when;
        if is_new && (name == "Ready" || !is_normal) {
            events.push(Event {
                type_: if is_normal || name == "Ready" {
                    EventType::Normal
                } else {
                    EventType::Warning
                },
                reason: now.reason,
                note: Some(now.message),
                action: "Reconcile".to_owned(),
                secondary: None,
            });
        }
    }
    events
}
