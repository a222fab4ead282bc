//! Why a value that somebody sent is refused.

use std::{borrow::Cow, fmt};

/// A sentence for whoever sent the value. It names neither the field nor the value: the caller knows both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Invalid(pub Cow<'static, str>);

impl From<&'static str> for Invalid {
    fn from(reason: &'static str) -> Self {
        Self(reason.into())
    }
}

impl From<String> for Invalid {
    fn from(reason: String) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

/// Checks a text that people read in one line: not blank, no control characters, not too long.
pub fn line(text: &str, max_chars: usize) -> Result<&str, Invalid> {
    if text.trim().is_empty() {
        return Err("must not be blank".into());
    }
    if text.chars().any(char::is_control) {
        return Err("must not contain control characters or line breaks".into());
    }
    if text.chars().count() > max_chars {
        return Err(format!("must be at most {max_chars} characters long").into());
    }
    Ok(text)
}
