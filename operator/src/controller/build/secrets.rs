//! The generated Secrets. What they hold is written once, by `apply::create`; here is only what may change: to whom they belong.

use serde_json::{Value, json};

use super::{
    Object, Plan,
    labels::{self, Part, data},
};
use crate::{
    crd::{access::AuthType, postgres::PostgresType},
    kinds::Kind,
};

/// User and database of the managed Postgres.
pub const USER: &str = "shortener";

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
        let metadata = data(plan, &name, Part::Postgres);
        secrets.push(Object::new(Kind::Secret, json!({"metadata": metadata})));
    }
    secrets
}

/// Secrets that do not exist yet, with all that they hold. To whom they belong is applied afterwards, by the field manager that
/// can take it back when the policy changes.
pub fn new(plan: &Plan) -> Vec<Object> {
    let mut secrets = Vec::new();
    let mut add = |name: String, part: Part, content: Value| {
        let body = json!({"metadata": labels::kept(plan, &name, part), "type": "Opaque", "stringData": content});
        secrets.push(Object::new(Kind::Secret, body));
    };
    if let Some(key) = &plan.new_secrets.admin_key {
        add(
            labels::admin_key_name(&plan.name),
            Part::App,
            json!({"key": key}),
        );
    }
    if let Some(password) = &plan.new_secrets.postgres_password {
        let name = labels::postgres_name(&plan.name);
        let url = format!("postgres://{USER}:{password}@{name}:5432/{USER}");
        let content = json!({"username": USER, "password": password, "url": url});
        add(name, Part::Postgres, content);
    }
    secrets
}
