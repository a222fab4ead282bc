//! What an operation answers, and which headers that has.

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::shape::{Schemas, Shape, of};

/// An answer of one status.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: u16,
    description: &'static str,
    content: Option<(&'static str, Shape)>,
    headers: Vec<&'static str>,
    links: Vec<Link>,
}

/// Where to go with what was answered.
#[derive(Clone, Copy, Debug)]
struct Link {
    name: &'static str,
    operation: &'static str,
    place: Place,
    value: &'static str,
}

/// What the value is for.
#[derive(Clone, Copy, Debug)]
enum Place {
    Parameter(&'static str),
    BodyField(&'static str),
}

impl Answer {
    /// An answer without a body.
    pub fn empty(status: u16, description: &'static str) -> Self {
        Self {
            status,
            description,
            content: None,
            headers: Vec::new(),
            links: Vec::new(),
        }
    }

    pub fn json<T: JsonSchema>(status: u16, description: &'static str) -> Self {
        Self::of_type(status, description, "application/json", of::<T>())
    }

    /// A page for people.
    pub fn page(status: u16, description: &'static str) -> Self {
        let text = schemars::json_schema!({"type": "string"});
        Self::of_type(status, description, "text/html", text.into())
    }

    pub fn of_type(
        status: u16,
        description: &'static str,
        media_type: &'static str,
        shape: Shape,
    ) -> Self {
        let mut answer = Self::empty(status, description);
        answer.content = Some((media_type, shape));
        answer
    }

    /// Adds a header, by its name in [`HEADERS`].
    #[must_use]
    pub fn header(mut self, name: &'static str) -> Self {
        self.headers.push(name);
        self
    }

    /// Something that has a version.
    #[must_use]
    pub fn tagged(self) -> Self {
        self.header("Cache-Control").header("ETag")
    }

    /// `value`, an expression such as `$response.body#/id`, is a parameter of `operation`.
    #[must_use]
    pub fn leads_to(
        mut self,
        name: &'static str,
        operation: &'static str,
        parameter: &'static str,
        value: &'static str,
    ) -> Self {
        self.links.push(Link {
            name,
            operation,
            place: Place::Parameter(parameter),
            value,
        });
        self
    }

    /// `value` is a field of the body of `operation`.
    #[must_use]
    pub fn feeds(
        mut self,
        name: &'static str,
        operation: &'static str,
        field: &'static str,
        value: &'static str,
    ) -> Self {
        self.links.push(Link {
            name,
            operation,
            place: Place::BodyField(field),
            value,
        });
        self
    }

    pub(super) fn without_content(mut self) -> Self {
        self.content = None;
        self
    }

    pub(super) fn write(&self, schemas: &mut Schemas) -> Value {
        let mut answer = json!({"description": self.description});
        for name in ["X-Request-Id"].iter().chain(&self.headers) {
            answer["headers"][name] = header(name);
        }
        if let Some((media_type, shape)) = &self.content {
            answer["content"][media_type]["schema"] = schemas.make(shape);
        }
        for link in &self.links {
            answer["links"][link.name] = match link.place {
                Place::Parameter(name) => {
                    json!({"operationId": link.operation, "parameters": {name: link.value}})
                }
                Place::BodyField(name) => {
                    json!({"operationId": link.operation, "requestBody": {name: link.value}})
                }
            };
        }
        answer
    }
}

/// Refers to a header of [`HEADERS`].
pub(super) fn header(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

/// Every header that answers may have: its name, what it says, an example.
const HEADERS: [(&str, &str, &str); 13] = [
    (
        "Accept-Patch",
        "The media types that `PATCH` takes (RFC 5789, 3.1)",
        "application/merge-patch+json, application/json",
    ),
    (
        "Allow",
        "The methods that this path takes (RFC 9110, 10.2.1)",
        "GET,HEAD,POST",
    ),
    (
        "Cache-Control",
        "Whether the answer may be kept (RFC 9111)",
        "no-store",
    ),
    (
        "ETag",
        "The version, as a strong tag (RFC 9110, 8.8.3)",
        "\"3\"",
    ),
    (
        "Idempotency-Replayed",
        "`true` if this was answered before, to a request with the same `Idempotency-Key`",
        "true",
    ),
    (
        "Link",
        "Neighbouring pages of the list: `first`, `prev` and `next` (RFC 8288)",
        "</api/v1/urls?page=2&per_page=20>; rel=\"next\"",
    ),
    (
        "Location",
        "Of a redirect: where the short URL leads, as an absolute URL in ASCII; absent where the visitor is not to know. Of what was made: the path to read it at",
        "https://example.com/page",
    ),
    (
        "RateLimit",
        "What is left of the limit, and in how many seconds it is full again (draft-ietf-httpapi-ratelimit-headers-10). Absent for clients that are not limited",
        "\"api\";r=499;t=1",
    ),
    (
        "RateLimit-Policy",
        "How many requests fit the limit, and in how many seconds it fills. Absent for clients that are not limited",
        "\"api\";q=500;w=5",
    ),
    (
        "Retry-After",
        "After how many seconds to try again (RFC 9110, 10.2.3). Absent where that would not help",
        "1",
    ),
    (
        "WWW-Authenticate",
        "What the key lacks (RFC 6750, 3)",
        "Bearer realm=\"shortener\"",
    ),
    (
        "X-Request-Id",
        "The id that the request brought, or a new one: logs have it, too",
        "0af7651916cd43dd8448eb211c80319c",
    ),
    (
        "X-Total-Count",
        "The length of the whole list, up to 10,000; absent beyond",
        "42",
    ),
];

/// The headers, for `components`.
pub(super) fn headers() -> Value {
    let mut all = json!({});
    for (name, description, example) in HEADERS {
        let is_number = example.bytes().all(|byte| byte.is_ascii_digit()) && name != "X-Request-Id";
        all[name] = if is_number {
            json!({
                "description": description,
                "schema": {"type": "integer", "minimum": 0},
                "example": example.parse::<u64>().unwrap_or_default(),
            })
        } else {
            json!({
                "description": description,
                "schema": {"type": "string"},
                "example": example,
            })
        };
    }
    all
}
