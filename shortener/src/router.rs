//! The table of routes, and what stands in front of them. Reading this file is reading the API.

use axum::{Router, extract::DefaultBodyLimit, http::Method, middleware};
use tower_http::cors::CorsLayer;

use crate::{
    access::{Route, Routes},
    app::AppState,
    audit,
    error::ApiError,
    events, health, home,
    http::envelope,
    keys::{self, Scope},
    openapi, rate_limit, redirect, statistics, urls, users,
};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

pub fn build(state: AppState, cors: Option<CorsLayer>) -> Router {
    let api = api()
        .into_router()
        .route_layer(middleware::from_fn_with_state(
            state.clone(),
            rate_limit::http::limit_api,
        ))
        .merge(open_api().into_router())
        // Before the layer below, which answers what browsers ask with OPTIONS.
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed });
    let api = match cors {
        Some(cors) => api.layer(cors),
        None => api,
    };
    pages()
        .into_router()
        .merge(short_urls().into_router())
        // Where the contract has it, and where our own documents have it.
        .merge(api.clone())
        .nest("/api/v1", api)
        .fallback(|| async { ApiError::UnknownPath })
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
        // Bodies are limited where they are read.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(
            state.clone(),
            envelope::wrap,
        ))
        .with_state(state)
}

/// Pages for people, and what they load.
pub fn pages() -> Routes {
    Routes::default()
        .public(GET, "/", home::page)
        .public(GET, "/assets/home.css", home::style)
        .public(GET, "/assets/home.js", home::script)
        .public(GET, "/docs", openapi::page::docs)
        .public(GET, "/assets/docs.css", openapi::page::style)
        .public(GET, "/assets/docs.js", openapi::page::script)
}

/// The product. Every single-segment path that is nothing else is a short code.
pub fn short_urls() -> Routes {
    Routes::default().public(GET, "/{short_code}", redirect::http::follow)
}

/// Every route there is.
pub fn table() -> Vec<Route> {
    let routes = [pages(), short_urls(), api(), open_api()];
    routes.into_iter().flat_map(Routes::into_table).collect()
}

/// The API: each route, and the scope that a key needs for it.
pub fn api() -> Routes {
    use Scope::{Read, Statistics, Write};

    Routes::default()
        .scoped(GET, "/users", Read, users::http::list)
        .admin(POST, "/users", users::http::create)
        .admin(POST, "/users/bulk", users::bulk::load)
        .scoped(GET, "/users/{id}", Read, users::http::show)
        .scoped(PUT, "/users/{id}", Write, users::http::update)
        .scoped(PATCH, "/users/{id}", Write, users::http::patch)
        .admin(DELETE, "/users/{id}", users::http::delete)
        .scoped(GET, "/urls", Read, urls::http::list)
        .scoped(POST, "/urls", Write, urls::http::create)
        .admin(POST, "/urls/bulk", urls::bulk::load)
        .scoped(GET, "/urls/{id}", Read, urls::http::show)
        .scoped(PUT, "/urls/{id}", Write, urls::edit::http::update)
        .scoped(PATCH, "/urls/{id}", Write, urls::edit::http::patch)
        .scoped(DELETE, "/urls/{id}", Write, urls::edit::http::delete)
        .scoped(POST, "/urls/{id}/restore", Write, urls::edit::http::restore)
        .scoped(POST, "/urls/batch", Write, urls::batch::http::carry_out)
        .scoped(GET, "/events", Read, events::http::list)
        .scoped(POST, "/events", Write, events::http::create)
        .admin(POST, "/events/bulk", events::bulk::load)
        .scoped(
            GET,
            "/urls/{id}/stats",
            Statistics,
            statistics::http::of_url,
        )
        .scoped(GET, "/stats", Statistics, statistics::http::of_all)
        .admin(GET, "/keys", keys::http::list)
        .admin(POST, "/keys", keys::http::create)
        .admin(DELETE, "/keys/{id}", keys::http::revoke)
        .admin(GET, "/audit", audit::http::list)
}

/// What the API has for everybody.
pub fn open_api() -> Routes {
    Routes::default()
        // The other way to follow a URL.
        .public(GET, "/urls/{id}/redirect", redirect::http::follow)
        .public(GET, "/health", health::health)
        .public(GET, "/openapi.json", openapi::page::document)
}

#[cfg(test)]
mod tests {
    /// `Routes` is the only way in: it asks for a scope, and the tests read its table.
    #[test]
    fn no_route_goes_past_the_table() {
        let by_hand = concat!(".rou", "te(");
        assert!(!include_str!("router.rs").contains(by_hand));
    }
}
