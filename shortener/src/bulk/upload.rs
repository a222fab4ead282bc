//! The file in a `multipart/form-data` request, saved before it is loaded.
//!
//! A transaction that waited for the sender would be open for as long as the sender likes; on SQLite it would be the only
//! one. So the file goes to the disk first, as one that has no name and is gone with its handle.

use std::{fs::File, io::Seek as _, path::Path, time::Duration};

use anyhow::Context as _;
use axum::{
    extract::{FromRef, FromRequest, Multipart, Request, multipart::MultipartError},
    http::{StatusCode, header},
};
use tokio::io::AsyncWriteExt as _;

use crate::{config::LimitsConfig, error::ApiError, http::extract::refuse_encoded};

/// The field of the form that holds the file.
const FIELD: &str = "file";

/// How long a sender may pause.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A form that is about to bring a file.
#[derive(Debug)]
pub struct Upload {
    form: Multipart,
    limit: u64,
}

impl<S> FromRequest<S> for Upload
where
    LimitsConfig: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| {
                value
                    .to_ascii_lowercase()
                    .starts_with("multipart/form-data")
            });
        if !is_form {
            return Err(ApiError::UnsupportedMediaType(
                "send the file as the field `file` of a multipart/form-data form, as `curl -F file=@users.csv` does",
            ));
        }
        refuse_encoded(request.headers())?;
        let limit = LimitsConfig::or_none(LimitsConfig::from_ref(state).max_bulk_bytes);
        match Multipart::from_request(request, state).await {
            Ok(form) => Ok(Self { form, limit }),
            Err(rejection) => Err(ApiError::Malformed(rejection.body_text())),
        }
    }
}

impl Upload {
    /// Saves the file in `folder`. Returns it at its start.
    pub(super) async fn save(mut self, folder: &Path) -> Result<File, ApiError> {
        let mut field = loop {
            match timely(self.form.next_field()).await? {
                Some(field) if field.name() == Some(FIELD) => break field,
                Some(_) => {}
                None => return Err(ApiError::invalid(FIELD, "is missing from the form")),
            }
        };
        let unsaved = || format!("could not save an uploaded file in {}", folder.display());
        let file = tempfile::tempfile_in(folder).with_context(unsaved)?;
        let mut file = tokio::fs::File::from_std(file);
        let mut size = 0;
        while let Some(chunk) = timely(field.chunk()).await? {
            size += chunk.len() as u64;
            if size > self.limit {
                return Err(ApiError::TooLarge { limit: self.limit });
            }
            // A full disk is no fault of the request's, and may be over later.
            let written = file.write_all(&chunk).await.with_context(unsaved);
            written.map_err(ApiError::Unavailable)?;
        }
        let flushed = file.flush().await.with_context(unsaved);
        flushed.map_err(ApiError::Unavailable)?;
        let mut file = file.into_std().await;
        file.rewind().with_context(unsaved)?;
        Ok(file)
    }
}

async fn timely<T>(step: impl Future<Output = Result<T, MultipartError>>) -> Result<T, ApiError> {
    match tokio::time::timeout(IDLE_TIMEOUT, step).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(
            ApiError::Malformed("the form's headers are too large".to_owned()),
        ),
        Ok(Err(_)) => Err(ApiError::Malformed(
            "the form is broken, or ended before it was complete".to_owned(),
        )),
        Err(_) => Err(ApiError::SlowBody),
    }
}
