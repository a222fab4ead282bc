//! How often what is left to chance is tried: a few times by `make test`, many times by `make soak`.

use std::{
    io::{self, Write as _},
    sync::OnceLock,
};

/// `short`, or `long` when `SOAK` is set to anything but 0.
pub fn rounds(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}

/// Whether this is a long run, which may also wait for what takes half a minute.
#[expect(
    clippy::disallowed_methods,
    reason = "how long the tests may take belongs to the run, not to a test"
)]
pub fn is_long() -> bool {
    static IS_LONG: OnceLock<bool> = OnceLock::new();
    *IS_LONG.get_or_init(|| {
        std::env::var_os("SOAK").is_some_and(|value| !value.is_empty() && value != "0")
    })
}

/// Tells people a measurement, even when the test succeeds: what goes through `eprintln!` is kept back then.
pub fn report(text: &str) {
    _ = writeln!(io::stderr(), "    measured: {text}");
}
