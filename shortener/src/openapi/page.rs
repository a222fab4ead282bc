//! `/openapi.json`, and `/docs`, where people read it: a page of our own that needs nothing from elsewhere.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::DOCUMENT;
use crate::{home::asset, http::envelope::page_headers};

const PAGE: &str = include_str!("docs.html");
const STYLE: &str = include_str!("docs.css");
const SCRIPT: &str = include_str!("docs.js");

/// It changes with the binary only.
const HEADERS: [(HeaderName, HeaderValue); 2] = [
    (
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    ),
    (
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    ),
];

/// `GET /openapi.json`
pub async fn document() -> Response {
    (HEADERS, DOCUMENT.as_str()).into_response()
}

/// `GET /docs`
pub async fn docs() -> Response {
    (page_headers(), PAGE).into_response()
}

/// `GET /assets/docs.css`
pub async fn style() -> Response {
    asset("text/css; charset=utf-8", STYLE)
}

/// `GET /assets/docs.js`
pub async fn script() -> Response {
    asset("text/javascript; charset=utf-8", SCRIPT)
}
