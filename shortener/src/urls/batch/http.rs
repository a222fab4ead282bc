//! `/urls/batch`.

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Done, MAX_OPERATIONS, Operation, Outcomes};
use crate::{
    access::Caller,
    database::timestamp::Timestamp,
    error::ApiError,
    http::{
        conditional::Conditions,
        envelope::ProblemDocument,
        extract::{Changes, Json, JsonObject},
        fields::{Fields, integer, positive},
    },
    idempotency::http::{Begun, Idempotency, Transaction},
    invalid::Invalid,
    links::Links,
    urls::{
        ShortUrl,
        edit::http::{CHANGEABLE, Editor, FIXED},
    },
    users::http::must_be_in_reach,
};

/// What became of one operation.
#[derive(Debug, JsonSchema, Serialize)]
pub struct BatchResult {
    /// The status that a call of its own would have been answered with.
    status: u16,
    /// As it is now; none if it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<ShortUrl>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ProblemDocument<'static>>")]
    problem: Option<Value>,
}

/// What became of each operation, in their order.
#[derive(Debug, JsonSchema, Serialize)]
pub struct BatchAnswer {
    results: Vec<BatchResult>,
}

/// `POST /urls/batch`
pub async fn carry_out(
    caller: Caller,
    State(editor): State<Editor>,
    idempotency: Idempotency,
    headers: HeaderMap,
    JsonObject(body): JsonObject,
) -> Result<Response, ApiError> {
    let attempt = idempotency.attempt(&body);
    if let Some(answer) = attempt.recall(&editor.db).await? {
        // It may just have been committed.
        editor.links.settle().await?;
        return Ok(answer);
    }
    let values = body.read(|fields| fields.required("operations", operations))?;
    let read = |value| editor.read_operation(&caller, &headers, value);
    let operations: Vec<_> = values.into_iter().map(read).collect();
    let Editor {
        db, links, tasks, ..
    } = editor;
    let carrying_out = async move {
        match attempt.begin(&db).await? {
            Begun::Before(answer) => {
                links.settle().await?;
                Ok(answer)
            }
            Begun::Now(work) => {
                let mut work = work.in_transaction().await?;
                let now = Timestamp::now();
                let outcomes = super::carry_out(&mut work.tx, operations, &caller, now).await?;
                commit(work, &links, outcomes).await
            }
        }
    };
    tasks.carry_out(carrying_out).await
}

/// Commits, and waits until every replica obeys.
async fn commit(
    mut work: Transaction,
    links: &Links,
    outcomes: Outcomes,
) -> Result<Response, ApiError> {
    let changes = super::changes(&outcomes);
    let new_codes = super::new_codes(&outcomes);
    let noted = Changes(super::done(&outcomes));
    let results = outcomes.into_iter().map(BatchResult::new).collect();
    let mut answer = Json(BatchAnswer { results }).into_response();
    answer.extensions_mut().insert(noted);
    let announced = links.change_many(&mut work.tx, changes).await?;
    let answer = work.commit(answer).await?;
    for code in new_codes {
        links.created(&code);
    }
    announced.obeyed().await?;
    Ok(answer)
}

impl BatchResult {
    fn new(outcome: Result<Done, ApiError>) -> Self {
        let (status, url, problem) = match outcome {
            Ok(done) => (done.status(), done.shown(), None),
            Err(refused) => {
                let problem = refused.problem();
                let document = serde_json::to_value(ProblemDocument::of(&problem, None));
                let document = document.expect("texts and numbers can be written");
                (problem.status, None, Some(document))
            }
        };
        Self {
            status: status.as_u16(),
            url,
            problem,
        }
    }
}

impl Editor {
    /// Reads one operation, as far as that can be done without looking at what is there.
    fn read_operation(
        &self,
        caller: &Caller,
        headers: &HeaderMap,
        value: Value,
    ) -> Result<Operation, ApiError> {
        let fields = object(value)?;
        match fields.text_of("op").unwrap_or_default() {
            "create" => {
                let url = fields.read(|fields| fields.required("url", nested))?;
                let (new, chosen) = url.read(|fields| self.judgement.read_new(fields, headers))?;
                must_be_in_reach(caller, new.user_id)?;
                Ok(Operation::Create {
                    new: Box::new(new),
                    chosen,
                })
            }
            "update" => {
                let (id, version, url) = fields.read(|fields| {
                    let id = fields.required("id", integer);
                    let version = fields.optional("version", positive);
                    let url = fields.required("url", nested);
                    Ok((id?, version?, url?))
                })?;
                let change = url.read(|fields| {
                    fields.refuse(FIXED);
                    fields.require_any(CHANGEABLE);
                    self.read_change(fields, headers)
                })?;
                Ok(Operation::Update {
                    id,
                    change: Box::new(change),
                    conditions: conditions(version),
                })
            }
            "delete" => {
                let (id, version) = fields.read(|fields| {
                    let id = fields.required("id", integer);
                    let version = fields.optional("version", positive);
                    Ok((id?, version?))
                })?;
                Ok(Operation::Delete {
                    id,
                    conditions: conditions(version),
                })
            }
            _ => Err(ApiError::invalid(
                "op",
                "must be `create`, `update` or `delete`",
            )),
        }
    }
}

fn conditions(version: Option<i64>) -> Conditions {
    version.map_or_else(Conditions::default, Conditions::only)
}

/// The list of what is to be done.
fn operations(value: &Value) -> Result<Vec<Value>, Invalid> {
    let values = value.as_array().ok_or("must be an array of operations")?;
    match values.len() {
        1..=MAX_OPERATIONS => Ok(values.clone()),
        _ => Err(format!("must have from 1 to {MAX_OPERATIONS} operations").into()),
    }
}

fn object(value: Value) -> Result<Fields, ApiError> {
    match value {
        Value::Object(values) => Ok(Fields::new(values)),
        _ => Err(Invalid::from("an operation must be a JSON object").into()),
    }
}

fn nested(value: &Value) -> Result<Fields, Invalid> {
    match value {
        Value::Object(values) => Ok(Fields::new(values.clone())),
        _ => Err("must be an object".into()),
    }
}
