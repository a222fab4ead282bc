//! The table of the API's routes. A route cannot be added without saying who may call it.

use std::future::Future;
use std::pin::Pin;

use axum::{
    Router,
    extract::Request,
    handler::Handler,
    http::Method,
    response::Response,
    routing::{MethodFilter, on},
};

use super::{Caller, gate};
use crate::{app::AppState, keys::Scope};

/// A row of the table.
#[derive(Clone, Debug)]
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    /// The scope that a key needs; none for what everybody may call, without a key.
    pub scope: Option<Scope>,
}

/// Routes, each with its gate.
#[derive(Debug, Default)]
pub struct Routes {
    router: Router<AppState>,
    table: Vec<Route>,
}

impl Routes {
    /// For everybody, without a key.
    #[must_use]
    pub fn public<H, T>(self, method: Method, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.add(method, path, None, handler)
    }

    /// For whoever has `scope`. What they reach is up to the handler: it must ask for the [`Caller`], first of all, or it
    /// does not compile.
    #[must_use]
    pub fn scoped<H, T>(self, method: Method, path: &'static str, scope: Scope, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: AsksForCaller + 'static,
    {
        self.add(method, path, Some(scope), handler)
    }

    /// For admins, who reach everything.
    #[must_use]
    pub fn admin<H, T>(self, method: Method, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.add(method, path, Some(Scope::Admin), handler)
    }

    fn add<H, T>(
        mut self,
        method: Method,
        path: &'static str,
        scope: Option<Scope>,
        handler: H,
    ) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("a method that axum routes");
        self.router = match scope {
            None => self.router.route(path, on(filter, handler)),
            Some(scope) => {
                let gated = Gated {
                    path,
                    scope,
                    handler,
                };
                self.router.route(path, on(filter, gated))
            }
        };
        self.table.push(Route {
            method,
            path,
            scope,
        });
        self
    }

    pub fn into_router(self) -> Router<AppState> {
        self.router
    }

    pub fn into_table(self) -> Vec<Route> {
        self.table
    }
}

/// A handler behind the gate.
#[derive(Clone)]
struct Gated<H> {
    path: &'static str,
    scope: Scope,
    handler: H,
}

impl<H, T> Handler<T, AppState> for Gated<H>
where
    H: Handler<T, AppState>,
    T: 'static,
{
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, state: AppState) -> Self::Future {
        Box::pin(async move {
            let access = std::sync::Arc::clone(&state.access);
            let handle = |request| self.handler.call(request, state);
            gate::pass(&access, self.path, self.scope, request, handle).await
        })
    }
}

/// The extractors of a handler whose first one is the [`Caller`].
pub trait AsksForCaller {}

/// `M` tells axum what kind of handler it is.
macro_rules! first_of {
    ($($others:ident),*) => {
        impl<M, $($others),*> AsksForCaller for (M, Caller, $($others),*) {}
    };
}

first_of!();
first_of!(A);
first_of!(A, B);
first_of!(A, B, C);
first_of!(A, B, C, D);
first_of!(A, B, C, D, E);
first_of!(A, B, C, D, E, F);
first_of!(A, B, C, D, E, F, G);
