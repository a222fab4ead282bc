//! What `/openapi.json` says of the service itself.

use schemars::json_schema;

use super::{Answer, Operation, Slice};
use crate::health::Health;

pub(super) fn slice() -> Slice {
    let document = json_schema!({"type": "object", "additionalProperties": true});
    Slice {
        tag: "service",
        description: "How the service is, and what it can do.",
        operations: vec![
            Operation::get("/health", "getHealth", "Ask whether the service is well")
                .describe("200 for as long as the process answers; what is away is told by name.")
                .answer(Answer::json::<Health>(200, "How the service is")),
            Operation::get("/openapi.json", "getOpenapi", "Show this document")
                .describe("OpenAPI 3.1, as `docs/openapi.json` of the same version.")
                .answer(Answer::of_type(
                    200,
                    "The document",
                    "application/json",
                    document.into(),
                )),
        ],
    }
}
