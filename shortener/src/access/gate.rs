//! What stands in front of every route that is not public: who is it, may they, and a note of what they did.

use std::future::Future;

use axum::{
    extract::Request,
    http::{HeaderMap, Method, Version, header},
    response::{IntoResponse as _, Response},
};

use super::{Access, Caller, Mode};
use crate::{
    audit::{Entry, log::AuditLog},
    database::timestamp::Timestamp,
    error::{ApiError, NoKey},
    http::{
        envelope::ClientAddress,
        extract::{Changes, ObjectId},
        guard,
    },
    keys::{Scope, keyring::Refused},
};

/// Lets a request for `scope` through to `handle`, or refuses it.
pub(super) async fn pass<F: Future<Output = Response>>(
    access: &Access,
    path: &'static str,
    scope: Scope,
    mut request: Request,
    handle: impl FnOnce(Request) -> F,
) -> Response {
    let caller = match identify(
        access,
        request.method(),
        request.version(),
        request.headers(),
    )
    .await
    {
        Ok(caller) => caller,
        // Strangers leave no trace in the log: they could fill it.
        Err(refused) => return refused.into_response(),
    };
    let note = is_change(request.method()).then(|| Note::new(access, &caller, path, &request));
    let response = match caller.may(scope) {
        Ok(()) => {
            request.extensions_mut().insert(caller);
            handle(request).await
        }
        Err(refused) => refused.into_response(),
    };
    if let Some(note) = note {
        note.answered(&response);
        // What was done to keys is on record before anybody is told. It is rare, and may wait.
        if path.starts_with("/keys") {
            access.audit.flush().await;
        }
    }
    response
}

async fn identify(
    access: &Access,
    method: &Method,
    version: Version,
    headers: &HeaderMap,
) -> Result<Caller, ApiError> {
    match access.mode {
        Mode::Open => {
            access.sites.check(method, headers)?;
            Ok(Caller::anyone())
        }
        Mode::ThisMachine => {
            guard::check(version, headers)?;
            Ok(Caller::anyone())
        }
        Mode::Keys => {
            let key = bearer(headers)?;
            let holder = access.keyring.holder(key, Timestamp::now()).await?;
            holder.map(Caller::holding).map_err(|refused| {
                ApiError::NoKey(match refused {
                    Refused::Unknown => NoKey::Unknown,
                    Refused::Revoked => NoKey::Revoked,
                    Refused::Expired => NoKey::Expired,
                })
            })
        }
    }
}

/// The key in `Authorization: Bearer <key>`.
pub fn bearer(headers: &HeaderMap) -> Result<&[u8], ApiError> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return Err(ApiError::NoKey(NoKey::Missing));
    };
    let value = value.as_bytes();
    let scheme = value.get(..7).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return Err(ApiError::NoKey(NoKey::Missing));
    }
    match value[7..].trim_ascii() {
        [] => Err(ApiError::NoKey(NoKey::Missing)),
        key => Ok(key),
    }
}

fn is_change(method: &Method) -> bool {
    method != Method::GET && method != Method::HEAD
}

/// An entry for the audit log. It is added in any case: when the request is answered, or when it is given up.
struct Note<'a> {
    audit: &'a AuditLog,
    entry: Option<Entry>,
}

impl<'a> Note<'a> {
    fn new(access: &'a Access, caller: &Caller, path: &'static str, request: &Request) -> Self {
        let client = request.extensions().get::<ClientAddress>();
        Self {
            audit: &access.audit,
            entry: Some(Entry {
                at: Timestamp::now(),
                actor: caller.actor(),
                method: request.method().to_string(),
                route: path.to_owned(),
                object_id: id_in_path(path, request.uri().path()),
                client: client.map(|ClientAddress(address)| *address),
                status: None,
            }),
        }
    }

    fn answered(mut self, response: &Response) {
        if let Some(entry) = &mut self.entry {
            entry.status = Some(response.status().as_u16());
            if let Some(ObjectId(id)) = response.extensions().get() {
                entry.object_id = Some(*id);
            }
            let changes = response.extensions().get();
            for (id, status) in changes.iter().flat_map(|Changes(changes)| changes) {
                self.audit.add(Entry {
                    object_id: Some(*id),
                    status: Some(*status),
                    ..entry.clone()
                });
            }
        }
    }
}

impl Drop for Note<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.audit.add(entry);
        }
    }
}

/// What stands for `{id}` of `route` in `path`, if it is a number.
fn id_in_path(route: &str, path: &str) -> Option<i64> {
    let place = route.split('/').position(|segment| segment == "{id}")?;
    path.split('/').nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(values: &[&str], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        let key = bearer(&headers).ok();
        assert_eq!(key, expected.map(str::as_bytes), "{values:?}");
    }

    #[test]
    fn a_key_stands_behind_the_word_bearer() {
        check(&["Bearer abc"], Some("abc"));
        check(&["bearer  abc "], Some("abc"));
        check(&["Bearer two words"], Some("two words"));
    }

    #[test]
    fn anything_else_is_no_key() {
        check(&[], None);
        for value in ["", "Bearer", "Bearer ", "abc", "Basic YTpi", "Bearerabc"] {
            check(&[value], None);
        }
        // Which of them would it be?
        check(&["Bearer abc", "Bearer def"], None);
    }

    #[test]
    fn the_object_is_the_id_in_the_path() {
        assert_eq!(id_in_path("/urls/{id}", "/urls/7"), Some(7));
        assert_eq!(id_in_path("/urls/{id}", "/urls/seven"), None);
        assert_eq!(id_in_path("/urls", "/urls"), None);
    }
}
