//! The identity of the service's pods, which may do nothing with the Kubernetes API.

use serde_json::json;

use super::{
    Object, Plan,
    labels::{Part, owned},
};
use crate::kinds::Kind;

pub fn build(plan: &Plan) -> Object {
    let body = json!({
        "metadata": owned(plan, &plan.name, Part::App),
        "automountServiceAccountToken": false,
    });
    Object::new(Kind::ServiceAccount, body)
}
