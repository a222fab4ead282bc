//! The pages that people see: where to start, and what is wrong with a link.

use std::fmt::Write as _;

use axum::{
    http::{HeaderValue, StatusCode, header},
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

fn asset(content_type: &'static str, body: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, CACHE),
    ];
    (headers, body).into_response()
}

/// What a visitor sees whose link does not lead anywhere.
pub fn problem_page(status: StatusCode) -> String {
    let (title, text) = match status {
        StatusCode::NOT_FOUND => (
            "Link not found",
            "There is no link here. Check the address for a typing error.",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            "Please try again in a moment",
            "The link cannot be looked up right now.",
        ),
        _ => (
            "Something went wrong",
            "The link cannot be followed right now.",
        ),
    };
    let mut page = String::new();
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"/assets/home.css\">\n\
         <main>\n<h1>{title}</h1>\n<p>{text}</p>\n</main>\n</html>\n"
    )
    .expect("writing to a string cannot fail");
    page
}
