//! The statuses that refuse a request: what each means, and the headers that come with it.

use serde_json::{Value, json};

use super::{
    answer::header,
    shape::{Schemas, of},
};
use crate::http::envelope::ProblemDocument;

/// A status that refuses.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    status: u16,
    /// What `components/responses` calls it.
    name: &'static str,
    meaning: &'static str,
    headers: &'static [&'static str],
}

const fn refusal(
    status: u16,
    name: &'static str,
    meaning: &'static str,
    headers: &'static [&'static str],
) -> Refusal {
    Refusal {
        status,
        name,
        meaning,
        headers,
    }
}

#[rustfmt::skip]
const REFUSALS: [Refusal; 17] = [
    refusal(400, "BadRequest", "The body is empty, cut short, or no JSON; or the request does not name one host", &[]),
    refusal(401, "Unauthorized", "A key is needed, and there was none, or one that is unknown, revoked or expired", &["WWW-Authenticate"]),
    refusal(403, "Forbidden", "The key lacks the scope; or the API answers to its own machine only, and the request came from elsewhere", &[]),
    refusal(404, "NotFound", "There is no such thing, or it is another user's", &[]),
    refusal(405, "MethodNotAllowed", "The path does not take this method", &["Allow"]),
    refusal(408, "RequestTimeout", "The body did not arrive in time", &[]),
    refusal(409, "Conflict", "A value is taken already", &["Retry-After"]),
    refusal(410, "Gone", "The link has expired, or has been used up", &[]),
    refusal(412, "PreconditionFailed", "It was changed in the meantime", &["ETag"]),
    refusal(413, "ContentTooLarge", "The body is larger than accepted", &[]),
    refusal(415, "UnsupportedMediaType", "The body is of another type than this path takes, or compressed", &[]),
    refusal(422, "UnprocessableContent", "A value cannot be accepted; `errors` says which and why", &[]),
    refusal(425, "TooEarly", "The first request with this key is still under way", &["Retry-After"]),
    refusal(428, "PreconditionRequired", "The request must say which version it changes", &[]),
    refusal(429, "TooManyRequests", "This client asks for too much", &["RateLimit", "RateLimit-Policy", "Retry-After"]),
    refusal(500, "InternalServerError", "Our fault; `request_id` is in our log, too", &[]),
    refusal(503, "ServiceUnavailable", "A database cannot be reached, or takes too long", &["Retry-After"]),
];

/// Refers to the answer that refuses with `status`.
pub(super) fn refer(status: u16, has_pages: bool) -> Value {
    let name = find(status).name;
    let suffix = if has_pages { "OrPage" } else { "" };
    json!({"$ref": format!("#/components/responses/{name}{suffix}")})
}

/// An answer that refuses with `status` for a reason of its own.
pub(super) fn because(status: u16, when: &str, has_pages: bool, schemas: &mut Schemas) -> Value {
    let mut answer = write(&find(status), has_pages, schemas);
    answer["description"] = json!(when);
    answer
}

/// The answer to a patch of a type that is not taken, which says those that are.
pub(super) fn of_a_patch(schemas: &mut Schemas) -> Value {
    let mut answer = write(&find(415), false, schemas);
    answer["headers"]["Accept-Patch"] = header("Accept-Patch");
    answer
}

/// Every such answer, for `components`, of programs and of browsers.
pub(super) fn responses(schemas: &mut Schemas) -> Value {
    let mut all = json!({});
    for refusal in REFUSALS {
        all[refusal.name] = write(&refusal, false, schemas);
        all[format!("{}OrPage", refusal.name)] = write(&refusal, true, schemas);
    }
    all
}

fn find(status: u16) -> Refusal {
    let mut all = REFUSALS.iter();
    *all.find(|refusal| refusal.status == status)
        .expect("a test makes the document, and with it every refusal")
}

fn write(refusal: &Refusal, has_pages: bool, schemas: &mut Schemas) -> Value {
    let mut answer = json!({"description": refusal.meaning});
    for name in ["X-Request-Id"].iter().chain(refusal.headers) {
        answer["headers"][name] = header(name);
    }
    let problem = schemas.make(&of::<ProblemDocument<'static>>());
    answer["content"]["application/problem+json"] = json!({"schema": problem});
    if has_pages {
        answer["content"]["text/html"] = json!({"schema": {"type": "string"}});
    }
    answer
}
