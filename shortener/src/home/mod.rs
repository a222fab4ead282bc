//! The page that people start at.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use crate::http::envelope::page_headers;

const PAGE: &str = include_str!("home.html");
const STYLE: &str = include_str!("home.css");
const SCRIPT: &str = include_str!("home.js");

/// Assets change with the binary only; asking again costs little.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// `GET /`
pub async fn page() -> Response {
    (page_headers(), PAGE).into_response()
}

/// `GET /assets/home.css`
pub async fn style() -> Response {
    asset("text/css; charset=utf-8", STYLE)
}

/// `GET /assets/home.js`
pub async fn script() -> Response {
    asset("text/javascript; charset=utf-8", SCRIPT)
}

/// A file that pages load.
pub fn asset(content_type: &'static str, body: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, CACHE),
    ];
    (headers, body).into_response()
}
