//! Puts operations, the table of routes and what every operation has in common together.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};

use super::{
    Operation, Slice,
    answer::{self, header},
    refusals,
    shape::Schemas,
};
use crate::{
    access::{Route, Routes},
    router,
};

/// What the whole is about.
const DESCRIPTION: &str = "\
Short URLs: who owns them, where they lead, what happened to them.

Every path below is served under `/api/v1`, but where it says otherwise. `docs/api.md` tells what holds for all of them: \
keys, lists, errors, limits.

Operations are named by `operationId`, which never changes within a version. Fields may be added to answers, and optional \
ones to requests, without a new version; whoever reads answers ignores what they do not know.";

/// Where a route is served, and who stands in front of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mount {
    /// The API: limited by address.
    Limited,
    /// The part of the API that has no limit, or one of its own.
    Unlimited,
    /// At the root alone.
    Root,
}

/// The document, of these operations.
pub(super) fn of(slices: &[Slice]) -> Value {
    let mut schemas = Schemas::new();
    let routes = routes();
    let mut paths = json!({});
    for slice in slices {
        for operation in &slice.operations {
            let (route, mount) = find(&routes, operation);
            let path = &mut paths[operation.path];
            if *mount == Mount::Root {
                path["servers"] = json!([{"url": "/"}]);
            }
            let method = operation.method.as_str().to_ascii_lowercase();
            path[method] = write(operation, slice.tag, route, *mount, &mut schemas);
            if let Some(id) = operation.head {
                let head = head_of(operation, id);
                path["head"] = write(&head, slice.tag, route, *mount, &mut schemas);
            }
        }
    }
    let responses = used(refusals::responses(&mut schemas), &paths);
    let headers = answer::headers();
    let tag = |slice: &Slice| json!({"name": slice.tag, "description": slice.description});
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "URL shortener",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Short URLs that you run yourself",
            "description": DESCRIPTION,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/api/v1", "description": "The service that this document comes from"}],
        "tags": slices.iter().map(tag).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas.into_definitions(),
            "responses": responses,
            "headers": headers,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key. A user's key reaches what is that user's; an admin's key, everything. Where the service asks for no keys, none is needed.",
                },
            },
        },
    })
}

fn routes() -> Vec<(Route, Mount)> {
    let mounted = |routes: Routes, mount| {
        let routes = routes.into_table().into_iter();
        routes.map(move |route| (route, mount))
    };
    mounted(router::api(), Mount::Limited)
        .chain(mounted(router::open_api(), Mount::Unlimited))
        .chain(mounted(router::short_urls(), Mount::Root))
        .collect()
}

fn find<'a>(routes: &'a [(Route, Mount)], operation: &Operation) -> &'a (Route, Mount) {
    let mut all = routes.iter();
    all.find(|(route, _)| route.method == operation.method && route.path == operation.route)
        .unwrap_or_else(|| {
            panic!(
                "{} {} is described, but is no route",
                operation.method, operation.route
            )
        })
}

/// `HEAD`, which answers the same without a body.
fn head_of(operation: &Operation, id: &'static str) -> Operation {
    let mut head = operation.clone();
    head.method = Method::HEAD;
    head.id = id;
    head.answers = head
        .answers
        .into_iter()
        .map(answer::Answer::without_content)
        .collect();
    head
}

fn write(
    operation: &Operation,
    tag: &str,
    route: &Route,
    mount: Mount,
    schemas: &mut Schemas,
) -> Value {
    let parameters = operation.parameters.iter();
    let parameters: Vec<_> = parameters
        .map(|parameter| parameter.write(schemas))
        .collect();
    let needs = match route.scope {
        None => "Needs no key.".to_owned(),
        Some(scope) => format!("Needs a key with the scope `{}`.", scope.name()),
    };
    let description = format!("{}\n\n{needs}", operation.description);
    let mut value = json!({
        "operationId": operation.id,
        "tags": [tag],
        "summary": operation.summary,
        "description": description.trim_start(),
        "security": [],
        "responses": responses(operation, route, mount, schemas),
    });
    if let Some(scope) = route.scope {
        value["security"] = json!([{"key": []}]);
        value["x-scope"] = json!(scope.name());
    }
    if !parameters.is_empty() {
        value["parameters"] = json!(parameters);
    }
    if let Some(body) = &operation.body {
        value["requestBody"] = body.write(schemas);
    }
    value
}

fn responses(operation: &Operation, route: &Route, mount: Mount, schemas: &mut Schemas) -> Value {
    let mut all = json!({});
    for status in standard_refusals(operation, route, mount) {
        all[status.to_string()] = refusals::refer(status, operation.has_pages);
    }
    if operation.method == Method::PATCH {
        all["415"] = refusals::of_a_patch(schemas);
    }
    for (status, when) in &operation.refusals {
        all[status.to_string()] = refusals::because(*status, when, operation.has_pages, schemas);
    }
    for answer in &operation.answers {
        all[answer.status.to_string()] = answer.write(schemas);
    }
    if mount == Mount::Limited {
        for (_, response) in all.as_object_mut().into_iter().flatten() {
            if response.get("$ref").is_none() {
                for name in ["RateLimit", "RateLimit-Policy"] {
                    response["headers"][name] = header(name);
                }
            }
        }
    }
    all
}

/// What an operation of this kind may refuse, whatever it does.
fn standard_refusals(operation: &Operation, route: &Route, mount: Mount) -> BTreeSet<u16> {
    // 400: any request may fail to name one host. 405: `/urls/bulk` is a path of its own, and no `/urls/{id}`.
    let mut statuses = BTreeSet::from([400, 405, 500, 503]);
    if route.scope.is_some() {
        statuses.extend([401, 403]);
    }
    if mount == Mount::Limited {
        statuses.insert(429);
    }
    if operation.parameters.iter().any(|p| p.is_in("path")) {
        statuses.insert(404);
    }
    if operation.parameters.iter().any(|p| p.is_in("query")) {
        statuses.insert(422);
    }
    if operation.body.is_some() {
        statuses.extend([408, 413, 415, 422]);
    }
    statuses
}

/// Those of the answers that something refers to.
fn used(responses: Value, paths: &Value) -> Value {
    let text = paths.to_string();
    let Value::Object(responses) = responses else {
        return responses;
    };
    let is_used = |name: &str| text.contains(&format!("\"#/components/responses/{name}\""));
    responses
        .into_iter()
        .filter(|(name, _)| is_used(name))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::{DOCUMENT, slices};

    #[test]
    fn every_route_has_one_operation() {
        let slices = slices();
        let operations = slices.iter().flat_map(|slice| &slice.operations);
        let mut described: Vec<_> = operations
            .map(|operation| format!("{} {}", operation.method, operation.route))
            .collect();
        let mut routed: Vec<_> = routes()
            .iter()
            .map(|(route, _)| format!("{} {}", route.method, route.path))
            .collect();
        described.sort();
        routed.sort();
        assert_eq!(described, routed, "operations, and routes");
    }

    /// A page is for people: what is served beside the described routes is nothing that a program calls.
    #[test]
    fn only_pages_have_no_operation() {
        let described = routes().len();
        let pages = router::pages().into_table();
        assert_eq!(router::table().len(), described + pages.len());
        for page in pages {
            assert_eq!(
                (page.method, page.scope),
                (Method::GET, None),
                "{}",
                page.path
            );
        }
    }

    #[test]
    fn a_refused_patch_is_described_with_what_would_be_taken() {
        let document: Value = serde_json::from_str(&DOCUMENT).unwrap();
        let methods = document["paths"].as_object().unwrap().values();
        let patches: Vec<_> = methods.filter_map(|path| path.get("patch")).collect();
        assert_eq!(patches.len(), 2);
        for patch in patches {
            assert!(patch["responses"]["415"]["headers"]["Accept-Patch"].is_object());
        }
    }

    #[test]
    fn every_part_of_a_path_is_described() {
        for operation in slices().iter().flat_map(|slice| &slice.operations) {
            let parts = operation.path.split('/');
            let parts = parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
            let parameters = operation.parameters.iter();
            let described = parameters.filter(|p| p.is_in("path")).map(|p| p.name);
            assert!(parts.eq(described), "{}", operation.path);
        }
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let mut names = BTreeSet::new();
        let document: Value = serde_json::from_str(&DOCUMENT).unwrap();
        for path in document["paths"].as_object().unwrap().values() {
            for (method, operation) in path.as_object().unwrap() {
                if method == "servers" {
                    continue;
                }
                let id = operation["operationId"].as_str().unwrap();
                assert!(names.insert(id.to_owned()), "{id} is taken");
                assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
            }
        }
        assert!(names.len() > routes().len() / 2);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document: Value = serde_json::from_str(&DOCUMENT).unwrap();
        let text = document.to_string();
        let targets: BTreeSet<_> = text
            .split("\"$ref\":\"#")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert!(targets.len() > 20, "{targets:?}");
        for target in targets {
            assert!(document.pointer(target).is_some(), "{target}");
        }
    }

    #[test]
    fn every_link_names_an_operation() {
        let text = &*DOCUMENT;
        let document: Value = serde_json::from_str(text).unwrap();
        let paths = document["paths"].as_object().unwrap().values();
        let operations: Vec<_> = paths
            .flat_map(|path| path.as_object().unwrap().values())
            .collect();
        let ids: BTreeSet<_> = operations
            .iter()
            .filter_map(|o| o["operationId"].as_str())
            .collect();
        let answers = operations.iter().filter_map(|o| o["responses"].as_object());
        let links = answers
            .flat_map(|answers| answers.values())
            .filter_map(|a| a["links"].as_object());
        let mut count = 0;
        for link in links.flat_map(|links| links.values()) {
            let id = link["operationId"].as_str().unwrap();
            assert!(ids.contains(id), "{id}");
            count += 1;
        }
        assert!(count > 0);
    }
}
