//! One operation of the API, as a slice describes it.

use axum::http::Method;
use schemars::{JsonSchema, json_schema};
use serde_json::{Value, json};

use super::{
    Answer, Body,
    shape::{Schemas, Shape},
};
use crate::http::paging;

/// The operations of a slice, under one heading.
#[derive(Clone, Debug)]
pub struct Slice {
    pub tag: &'static str,
    pub description: &'static str,
    pub operations: Vec<Operation>,
}

/// What is done by one method at one path.
#[derive(Clone, Debug)]
pub struct Operation {
    pub(super) method: Method,
    /// As the router has it.
    pub(super) route: &'static str,
    /// As the document has it.
    pub(super) path: &'static str,
    /// What generated clients call it: it never changes.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<Answer>,
    /// Statuses that refuse, and when.
    pub(super) refusals: Vec<(u16, &'static str)>,
    /// What its `HEAD` is called.
    pub(super) head: Option<&'static str>,
    /// Whether browsers get a page instead of a problem document.
    pub(super) has_pages: bool,
}

/// A part of the path, or of the query.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    place: &'static str,
    shape: Shape,
    description: &'static str,
}

impl Operation {
    pub fn new(
        method: Method,
        route: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        Self {
            method,
            route,
            path: route,
            id,
            summary,
            description: "",
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            refusals: Vec::new(),
            head: None,
            has_pages: false,
        }
    }

    pub fn get(route: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::GET, route, id, summary)
    }

    pub fn post(route: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::POST, route, id, summary)
    }

    pub fn put(route: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::PUT, route, id, summary)
    }

    pub fn patch(route: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::PATCH, route, id, summary)
    }

    pub fn delete(route: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::DELETE, route, id, summary)
    }

    #[must_use]
    pub fn describe(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// Names the variable parts of the path better than the router, where routes share a name.
    #[must_use]
    pub fn shown_as(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    /// The number that stands for `{id}` in the path.
    #[must_use]
    pub fn id(self, description: &'static str) -> Self {
        let id = json_schema!({"type": "integer", "format": "int64", "minimum": 0});
        self.segment("id", id, description)
    }

    /// A variable part of the path.
    #[must_use]
    pub fn segment(
        self,
        name: &'static str,
        shape: impl Into<Shape>,
        description: &'static str,
    ) -> Self {
        self.parameter(name, "path", shape.into(), description)
    }

    /// A parameter of the query. All of them may be left out.
    #[must_use]
    pub fn query(
        self,
        name: &'static str,
        shape: impl Into<Shape>,
        description: &'static str,
    ) -> Self {
        self.parameter(name, "query", shape.into(), description)
    }

    /// A header of the request. All of them may be left out.
    #[must_use]
    pub fn header(
        self,
        name: &'static str,
        shape: impl Into<Shape>,
        description: &'static str,
    ) -> Self {
        self.parameter(name, "header", shape.into(), description)
    }

    /// A parameter of the query that is the id of something. What is too large to be anybody's is no error, and finds nothing.
    #[must_use]
    pub fn query_id(self, name: &'static str, description: &'static str) -> Self {
        let id = json_schema!({"type": "integer", "minimum": 0});
        self.query(name, id, description)
    }

    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = Some(body);
        self
    }

    #[must_use]
    pub fn answer(mut self, answer: Answer) -> Self {
        self.answers.push(answer);
        self
    }

    /// Answers with a list, a page at a time.
    #[must_use]
    pub fn answers_list<T: JsonSchema>(self, description: &'static str) -> Self {
        // However far past the end: it is empty there.
        let page = json_schema!({"type": "integer", "minimum": 1, "default": 1});
        let size = json_schema!({
            "type": "integer",
            "format": "int64",
            "minimum": 1,
            "maximum": paging::MAX_SIZE,
            "default": paging::DEFAULT_SIZE,
        });
        self.query(
            "page",
            page,
            "Which page of the list; one past the end is empty",
        )
        .query("per_page", size, "How many rows a page has")
        .answer(
            Answer::json::<Vec<T>>(200, description)
                .header("Link")
                .header("X-Total-Count"),
        )
    }

    /// Reads what has a version: who knows it already gets no body.
    #[must_use]
    pub fn reads_version(self) -> Self {
        self.depends_on_version()
            .answer(
                Answer::empty(304, "It has a version that `If-None-Match` names")
                    .header("Cache-Control")
                    .header("ETag"),
            )
            .refuses(412, "`If-Match` does not name its version")
    }

    /// Changes what has a version, if that is the one that was meant.
    #[must_use]
    pub fn changes_version(self) -> Self {
        self.depends_on_version()
            .refuses(412, "It has another version than `If-Match` names, or one that `If-None-Match` does; `ETag` is its version")
    }

    fn depends_on_version(self) -> Self {
        let tags = || json_schema!({"type": "string", "examples": ["\"3\"", "*"]});
        self.header("If-Match", tags(), "Tags as `ETag` has them, separated by commas, or `*`: only one of these versions is meant")
            .header("If-None-Match", tags(), "Tags as `ETag` has them, separated by commas, or `*`: none of these versions is meant")
            .refuses(422, "A value cannot be accepted; `errors` says which and why")
    }

    /// Makes something once, however often it is sent with the same key.
    #[must_use]
    pub fn may_be_sent_again(self) -> Self {
        let key = json_schema!({"type": "string", "minLength": 1, "maxLength": 255, "examples": ["7f6f4a1e-9c1d-4a0e-8a0b-1f2e3d4c5b6a"]});
        self.header(
            "Idempotency-Key",
            key,
            "Chosen for one request, and sent with each repetition of it: what is made is made once, and answered the same",
        )
    }

    /// A status that refuses, and when, besides those that `document.rs` adds.
    #[must_use]
    pub fn refuses(mut self, status: u16, when: &'static str) -> Self {
        self.refusals.push((status, when));
        self
    }

    /// `HEAD` is more than the same without a body, and described as an operation of its own.
    #[must_use]
    pub fn head(mut self, id: &'static str) -> Self {
        self.head = Some(id);
        self
    }

    /// Browsers, which accept `text/html`, are refused with a page.
    #[must_use]
    pub fn has_pages(mut self) -> Self {
        self.has_pages = true;
        self
    }

    fn parameter(
        mut self,
        name: &'static str,
        place: &'static str,
        shape: Shape,
        description: &'static str,
    ) -> Self {
        self.parameters.push(Parameter {
            name,
            place,
            shape,
            description,
        });
        self
    }
}

impl Parameter {
    pub(super) fn is_in(&self, place: &str) -> bool {
        self.place == place
    }

    pub(super) fn write(&self, schemas: &mut Schemas) -> Value {
        json!({
            "name": self.name,
            "in": self.place,
            "required": self.place == "path",
            "description": self.description,
            "schema": schemas.make(&self.shape),
        })
    }
}
