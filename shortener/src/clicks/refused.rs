//! Clicks that the database refuses, set aside in a file so that the rest can go on and nothing is lost unseen.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use anyhow::Context as _;
use serde_json::json;

use super::visit::Visit;

/// `<data>/refused-clicks.jsonl`: one line per click, with the reason.
#[derive(Debug)]
pub struct RefusedClicks {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl RefusedClicks {
    /// Nothing is made until something is refused.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: Mutex::new(None),
        }
    }

    /// Appends `record`, and has it on the disk when this returns.
    pub fn set_aside(&self, record: &[u8], reason: &str) -> anyhow::Result<()> {
        let mut line = json!({"reason": reason, "click": describe(record)}).to_string();
        line.push('\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &mut *file {
            Some(file) => file,
            unopened => unopened.insert(
                OpenOptions::new()
                    .create(true)
                    .append(true)
                    // It tells who visited what.
                    .mode(0o600)
                    .open(&self.path)
                    .with_context(|| format!("could not open {}", self.path.display()))?,
            ),
        };
        file.write_all(line.as_bytes())
            .and_then(|()| file.sync_data())
            .with_context(|| format!("could not write {}", self.path.display()))?;
        tracing::error!(
            reason,
            file = %self.path.display(),
            "the database refuses a click; it is set aside"
        );
        Ok(())
    }
}

fn describe(record: &[u8]) -> serde_json::Value {
    match Visit::read(record) {
        Ok(visit) => json!({
            "at_micros": visit.at_micros,
            "url_id": visit.url_id,
            "user_id": visit.user_id,
            "visitor": visit.visitor,
            "country": visit.country(),
            "user_agent": String::from_utf8_lossy(visit.user_agent),
            "referrer": String::from_utf8_lossy(visit.referrer),
            "query": String::from_utf8_lossy(visit.query),
        }),
        Err(_) => json!({"record": record}),
    }
}
