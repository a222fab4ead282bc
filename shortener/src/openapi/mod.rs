//! The OpenAPI 3.1 document, made from what each slice says of its own operations, and the page that shows it.
//!
//! How to add an operation:
//!
//! 1. The route, in `router.rs`. Without the rest of this list `every_route_has_one_operation` fails.
//! 2. In `operations.rs` of the slice, beside its `http.rs`: an [`Operation`] with the fields, parameters and refusals that
//!    the handler knows. What every such operation can answer besides (401, 413, 429, …) is added by `document.rs`.
//! 3. Types that are answered derive `JsonSchema`; a value with a rule of its own says it with [`value_schema!`], next to
//!    that rule.
//! 4. A new slice joins [`slices`].
//! 5. `make generated` writes `docs/openapi.json`; `make test SUITES=openapi` finds out whether the service keeps to it.

mod answer;
mod body;
mod document;
mod operation;
mod operations;
pub mod page;
mod refusals;
mod shape;

use std::sync::LazyLock;

pub use answer::Answer;
pub use body::Body;
pub use operation::{Operation, Slice};
pub use shape::{Shape, of};

use crate::{audit, client, events, keys, redirect, statistics, urls, users};

pub(crate) use shape::value_schema;

/// The document as served and as committed.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let document = document::of(&slices());
    let text = serde_json::to_string_pretty(&document).expect("a JSON value can be written");
    text + "\n"
});

/// All operations, in the order in which people read them.
fn slices() -> Vec<Slice> {
    vec![
        urls::operations::slice(),
        redirect::operations::slice(),
        users::operations::slice(),
        events::operations::slice(),
        statistics::operations::slice(),
        keys::operations::slice(),
        audit::operations::slice(),
        operations::slice(),
    ]
}

/// Prints the document.
pub fn print() -> anyhow::Result<()> {
    client::print::write(&DOCUMENT)
}
