//! What `/openapi.json` says of the audit log.

use super::AuditEntry;
use crate::openapi::{Operation, Slice};

pub fn slice() -> Slice {
    Slice {
        tag: "audit",
        description: "Who changed what, when, from where, and what came of it.",
        operations: vec![
            Operation::get("/audit", "listAuditEntries", "List changes")
                .describe("Newest first: every change that was made or tried with a valid key.")
                .query_id("key_id", "Only what this key was used for")
                .answers_list::<AuditEntry>("Entries of the log"),
        ],
    }
}
