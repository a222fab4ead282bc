//! The table of routes, and what stands in front of them. Reading this file is reading the API.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};

use crate::{
    app::{AppState, Guard},
    error::ApiError,
    events, health, home,
    http::{envelope, guard},
    rate_limit, redirect, statistics, urls, users,
};

pub fn build(state: AppState) -> Router {
    let api = api(&state).route_layer(middleware::from_fn_with_state(
        state.clone(),
        keep_to_this_machine,
    ));
    Router::new()
        // For people.
        .route("/", get(home::page))
        .route("/assets/home.css", get(home::style))
        .route("/assets/home.js", get(home::script))
        // The API, where the contract has it, and where our own documents have it.
        .merge(api.clone())
        .nest("/api/v1", api)
        // The product. Every other single-segment path is a short code.
        .merge(redirects("/{short_code}"))
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

fn api(state: &AppState) -> Router<AppState> {
    Router::new()
        .route("/users", get(users::http::list).post(users::http::create))
        .route("/users/bulk", post(users::bulk::load))
        .route(
            "/users/{id}",
            get(users::http::show)
                .put(users::http::update)
                .delete(users::http::delete),
        )
        .route("/urls", get(urls::http::list).post(urls::http::create))
        .route("/urls/bulk", post(urls::bulk::load))
        .route(
            "/urls/{id}",
            get(urls::http::show)
                .put(urls::http::update)
                .delete(urls::http::delete),
        )
        .route(
            "/events",
            get(events::http::list).post(events::http::create),
        )
        .route("/events/bulk", post(events::bulk::load))
        .route("/urls/{id}/stats", get(statistics::http::of_url))
        .route("/stats", get(statistics::http::of_all))
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(&state.redirects.limits),
            rate_limit::http::limit_api,
        ))
        // Public, like the other way to follow a URL: see `keep_to_this_machine`.
        .merge(redirects("/urls/{id}/redirect"))
        .route("/health", get(health::health))
}

fn redirects(path: &str) -> Router<AppState> {
    Router::new().route(path, get(redirect::http::follow))
}

/// With `SHORTENER_AUTH=auto`, strangers may follow links, and nothing else.
async fn keep_to_this_machine(
    State(Guard { is_on }): State<Guard>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let is_public = path.ends_with("/redirect") || path.ends_with("/health");
    if is_on
        && !is_public
        && let Err(refused) = guard::check(request.version(), request.headers())
    {
        return refused.into_response();
    }
    next.run(request).await
}
