//! What is drawn for a resource, and what pods take from Secrets.

use serde_json::Value;

use super::{Refusal, plan::NewSecrets, workload};
use crate::{
    conditions::{About, Finding, Reason},
    controller::{
        build::{app, labels, secrets},
        digest,
        observe::{Observed, secrets::State},
    },
    crd::{UrlShortenerSpec, access::AuthType, postgres::PostgresType, redis::RedisType},
};

/// Secrets that are to be made. A new password over data that has an old one would lock everybody out, and one of somebody else is
/// theirs.
pub fn new(
    name: &str,
    spec: &UrlShortenerSpec,
    observed: &Observed,
    draw: &mut dyn FnMut() -> String,
) -> Result<NewSecrets, Refusal> {
    let mut new = NewSecrets::default();
    for (secret, about) in wanted(name, spec) {
        if observed.secrets.strangers.contains(&secret) {
            // Without any of them nothing is carried out.
            let about = match about {
                About::PostgresReady => about,
                _ => About::AppReady,
            };
            let text = format!(
                "there is a Secret {secret} that the operator did not make: delete or rename it, or give this resource another name. If it was made for this resource, say so by the labels {}={} and {}={name}; with `deletionPolicy: Delete` it then goes with the resource",
                labels::MANAGED_BY,
                labels::MANAGER,
                labels::INSTANCE
            );
            return Err(Refusal(Finding::new(about, Reason::NameInUse, text)));
        }
        if observed.secrets.generated.contains_key(&secret) {
            continue;
        }
        match about {
            About::PostgresReady if observed.secrets.postgres_volume.is_some() => {
                return Err(lost(name, &secret));
            }
            About::PostgresReady => new.postgres_password = Some(draw()),
            // What it opens is forgotten with it: another does as well.
            About::RedisReady => new.redis_password = Some(draw()),
            _ => new.admin_key = Some(draw()),
        }
    }
    Ok(new)
}

/// The generated Secrets that the spec asks for, and what each is about.
fn wanted(name: &str, spec: &UrlShortenerSpec) -> Vec<(String, About)> {
    let mut wanted = Vec::new();
    if spec.postgres.kind == PostgresType::Managed {
        wanted.push((labels::postgres_name(name), About::PostgresReady));
    }
    if spec.access.auth.kind == AuthType::ApiKeys {
        wanted.push((labels::admin_key_name(name), About::AppReady));
    }
    if spec.redis.kind == RedisType::Managed {
        wanted.push((labels::redis_name(name), About::RedisReady));
    }
    wanted
}

fn lost(name: &str, secret: &str) -> Refusal {
    let text = format!(
        "the Secret {secret} is gone, and the volume {} has data that its password opens. Restore the Secret from a backup, or set the password of the role `shortener` in Postgres and write the Secret with the keys username, password and url and the labels {}={} and {}={name}; delete the volume only if its data may go",
        labels::postgres_claim(name),
        labels::MANAGED_BY,
        labels::MANAGER,
        labels::INSTANCE
    );
    Refusal(Finding::new(
        About::PostgresReady,
        Reason::CredentialsMissing,
        text,
    ))
}

/// A digest of all that pods take from Secrets. While one is missing it stays what it was: pods that run have what they need, and those
/// that were replaced would not.
pub fn digest(
    name: &str,
    spec: &UrlShortenerSpec,
    observed: &Observed,
    new: &NewSecrets,
) -> Option<String> {
    let mut digests = Vec::new();
    for given in &observed.secrets.given {
        match &given.state {
            State::Present { digest, .. } => digests.push(digest.clone()),
            State::Missing | State::WithoutKey => return previous(name, spec, observed),
        }
    }
    for (secret, about) in wanted(name, spec) {
        digests.extend(generated(name, &secret, about, observed, new));
    }
    (!digests.is_empty()).then(|| digest::short(digests.concat().as_bytes()))
}

/// A digest of what the managed Redis takes at its start.
pub fn redis_digest(
    name: &str,
    spec: &UrlShortenerSpec,
    observed: &Observed,
    new: &NewSecrets,
) -> Option<String> {
    let mut wanted = wanted(name, spec).into_iter();
    let (secret, about) = wanted.find(|(_, about)| *about == About::RedisReady)?;
    generated(name, &secret, about, observed, new)
}

/// A digest of what pods take from a generated Secret, which may only be about to be made.
fn generated(
    name: &str,
    secret: &str,
    about: About,
    observed: &Observed,
    new: &NewSecrets,
) -> Option<String> {
    if let Some(found) = observed.secrets.generated.get(secret) {
        return Some(found.digest.clone());
    }
    let drawn = match about {
        About::PostgresReady => secrets::url(name, new.postgres_password.as_ref()?),
        About::RedisReady => secrets::redis_url(name, new.redis_password.as_ref()?),
        _ => new.admin_key.clone()?,
    };
    Some(digest::short(drawn.as_bytes()))
}

fn previous(name: &str, spec: &UrlShortenerSpec, observed: &Observed) -> Option<String> {
    let template: &Value = &workload(name, spec, observed)?["spec"]["template"];
    let digest = template["metadata"]["annotations"][app::SECRETS].as_str();
    digest.map(str::to_owned)
}
