//! The generated Secrets. What they hold is written once, by `apply::create`; here is only what may change: to whom they belong.

use serde_json::{Value, json};

use super::{
    Object, Plan,
    labels::{self, Part, data},
};
use crate::{
    crd::{access::AuthType, postgres::PostgresType, redis::RedisType},
    kinds::Kind,
};

/// User and database of the managed Postgres.
pub const USER: &str = "shortener";

/// The major version that has written the data: on the Secret whose password opens the volume, or on the Cluster. It outlives the
/// resource with them.
pub const MAJOR: &str = "urlshortener.dev/postgres-major";

/// The address of the managed Postgres.
pub fn url(resource: &str, password: &str) -> String {
    let host = labels::postgres_name(resource);
    format!("postgres://{USER}:{password}@{host}:5432/{USER}")
}

/// The address of the managed Redis.
pub fn redis_url(resource: &str, password: &str) -> String {
    format!("redis://:{password}@{}:6379", labels::redis_name(resource))
}

fn with_major(plan: &Plan, mut metadata: Value) -> Value {
    let major = plan.spec.postgres.managed().major;
    metadata["annotations"] = json!({MAJOR: major.to_string()});
    metadata
}

pub fn build(plan: &Plan) -> Vec<Object> {
    let mut secrets = Vec::new();
    if plan.spec.access.auth.kind == AuthType::ApiKeys {
        let name = labels::admin_key_name(&plan.name);
        secrets.push(Object::new(
            Kind::Secret,
            json!({"metadata": data(plan, &name, Part::App)}),
        ));
    }
    if plan.spec.postgres.kind == PostgresType::Managed {
        let name = labels::postgres_name(&plan.name);
        let metadata = with_major(plan, data(plan, &name, Part::Postgres));
        secrets.push(Object::new(Kind::Secret, json!({"metadata": metadata})));
    }
    if plan.spec.redis.kind == RedisType::Managed {
        let name = labels::redis_name(&plan.name);
        let metadata = data(plan, &name, Part::Redis);
        secrets.push(Object::new(Kind::Secret, json!({"metadata": metadata})));
    }
    secrets
}

/// Secrets that do not exist yet, with all that they hold. To whom they belong is applied afterwards, by the field manager that
/// can take it back when the policy changes.
pub fn new(plan: &Plan) -> Vec<Object> {
    let mut secrets = Vec::new();
    let mut add = |metadata: Value, content: Value| {
        let body = json!({"metadata": metadata, "type": "Opaque", "stringData": content});
        secrets.push(Object::new(Kind::Secret, body));
    };
    if let Some(key) = &plan.new_secrets.admin_key {
        let name = labels::admin_key_name(&plan.name);
        add(labels::kept(plan, &name, Part::App), json!({"key": key}));
    }
    if let Some(password) = &plan.new_secrets.postgres_password {
        let name = labels::postgres_name(&plan.name);
        let url = url(&plan.name, password);
        let content = json!({"username": USER, "password": password, "url": url});
        let metadata = labels::kept(plan, &name, Part::Postgres);
        add(with_major(plan, metadata), content);
    }
    if let Some(password) = &plan.new_secrets.redis_password {
        let name = labels::redis_name(&plan.name);
        let content = json!({
            "password": password,
            "url": redis_url(&plan.name, password),
            "redis.conf": format!("requirepass {password}\n"),
        });
        add(labels::kept(plan, &name, Part::Redis), content);
    }
    secrets
}
