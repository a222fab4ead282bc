//! The contract's happy path, as somebody in the cluster walks it: through the Service, by name, with the admin's key.

use std::collections::BTreeSet;

use harness::eventually;
use serde_json::json;

use crate::{cluster::PATIENCE, installation::Installation};

const VISITS: u64 = 5;

pub(crate) async fn holds(installation: &Installation<'_>) {
    let link = installation.make_link("https://example.com/contract").await;
    let short = format!("/{}", link.code);
    for _ in 0..VISITS {
        let redirect = installation.ask("GET", &short, None, 302).await;
        assert_eq!(redirect.location.as_deref(), Some(&*link.target));
    }
    eventually::holds("every visit is recorded", PATIENCE, async || {
        installation.recorded(&link).await == Some(VISITS)
    })
    .await;

    let of_id = format!("/urls/{}", link.id);
    let found = installation.ask("GET", &of_id, None, 200).await;
    assert_eq!(found.body["short_code"], link.code);
    let twin = json!({"user_id": link.user, "original_url": link.target, "short_code": link.code});
    installation.ask("POST", "/urls", Some(twin), 409).await;

    // An answered edit is obeyed by every replica from then on.
    let pause = json!({"is_active": false});
    installation.ask("PUT", &of_id, Some(pause), 200).await;
    for _ in 0..VISITS {
        installation.ask("GET", &short, None, 404).await;
    }
    let moved = json!({"is_active": true, "original_url": "https://example.com/moved"});
    installation.ask("PUT", &of_id, Some(moved), 200).await;
    for _ in 0..VISITS {
        let redirect = installation.ask("GET", &short, None, 302).await;
        assert_eq!(
            redirect.location.as_deref(),
            Some("https://example.com/moved")
        );
    }

    installation.ask("DELETE", &of_id, None, 204).await;
    installation.ask("GET", &short, None, 404).await;
    let events = format!("/events?url_id={}&per_page=100", link.id);
    let events = installation.ask("GET", &events, None, 200).await;
    let types: BTreeSet<_> = events
        .body
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|event| event["event_type"].as_str())
        .collect();
    assert_eq!(
        types,
        BTreeSet::from(["click", "created", "deleted", "updated"])
    );
}
