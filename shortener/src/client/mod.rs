//! `shortener urls`: what a person uses instead of curl.

pub mod arguments;
mod connection;
pub mod print;
mod statistics;
pub mod urls;

use std::{fmt::Write as _, process::ExitCode};

use serde_json::Value;

/// Why a command did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The service is away, or at fault.
    #[error("{0}")]
    Service(String),
    /// The command line is not enough.
    #[error("{0}")]
    Command(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    NotAllowed(String),
    #[error("{0}")]
    Refused(String),
}

impl Failure {
    /// What a script can tell failures apart by; the README lists them.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Service(_) => 1,
            Self::Command(_) => 2,
            Self::NotFound(_) => 3,
            Self::NotAllowed(_) => 4,
            Self::Refused(_) => 5,
        })
    }

    /// What an answer that is no success says.
    fn told(status: u16, problem: &Value) -> Self {
        let mut text = problem["detail"]
            .as_str()
            .map_or_else(|| format!("the service answered {status}"), str::to_owned);
        for (field, reason) in problem["errors"].as_object().into_iter().flatten() {
            let reason = reason.as_str().unwrap_or_default();
            write!(text, "\n  {field}: {reason}").expect("writing to a string cannot fail");
        }
        match status {
            401 => Self::NotAllowed(format!(
                "{text}\n  SHORTENER_KEY, or the file of SHORTENER_KEY_FILE, is where the key is looked for"
            )),
            403 => Self::NotAllowed(text),
            404 => Self::NotFound(text),
            400..=499 => Self::Refused(text),
            _ => Self::Service(text),
        }
    }
}
