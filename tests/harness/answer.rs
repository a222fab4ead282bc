//! What the service answered, fully read.

use bytes::Bytes;
use reqwest::{Response, header::HeaderMap};
use serde_json::Value;

/// The media type of every failure (RFC 9457).
const PROBLEM: &str = "application/problem+json";

/// A fully read response.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// Reads `response` to its end; an error means that the connection broke before.
    pub async fn read(response: Response) -> Result<Self, reqwest::Error> {
        Ok(Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await?,
        })
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Asserts a failure as the contract wants it, and returns its body.
    #[track_caller]
    pub fn assert_problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        let media_type = self.header("content-type").unwrap_or_default();
        assert_eq!(media_type, PROBLEM, "{self:?}");

        let problem = self.json();
        for member in ["type", "title", "detail"] {
            assert!(problem[member].is_string(), "no `{member}` in {problem}");
        }
        assert_eq!(problem["status"], status, "{problem}");
        problem
    }
}
