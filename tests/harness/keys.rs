//! A suite may be run with keys asked for: the services that it starts want one, and its clients send it.
//!
//! So one and the same suite shows that the contract holds with auth off and with an admin's key.

use std::{fs, path::Path};

/// The admin's key of such a run.
const KEY: &str = "the admin's key that every test sends";

/// The key to send, in a run with `SHORTENER_TEST_KEYS=1`.
pub(crate) fn sent() -> Option<&'static str> {
    #[expect(
        clippy::disallowed_methods,
        reason = "how a suite is run belongs to the run, not to a test"
    )]
    let wanted = std::env::var_os("SHORTENER_TEST_KEYS");
    wanted.is_some_and(|wanted| wanted == "1").then_some(KEY)
}

/// The settings that a service needs in such a run. The key is left in a file in `folder`.
pub(crate) fn settings(folder: &Path) -> Vec<(&'static str, String)> {
    let Some(key) = sent() else {
        return vec![("SHORTENER_AUTH", "off".to_owned())];
    };
    let file = folder.join("admin-key-of-the-tests");
    fs::write(&file, key).expect("the folder is the test's");
    vec![
        ("SHORTENER_AUTH", "keys".to_owned()),
        ("SHORTENER_ADMIN_KEY_FILE", file.display().to_string()),
    ]
}

/// A request as bytes, with the key if its head is one that has room for it.
pub(crate) fn added(request: &[u8]) -> Vec<u8> {
    let line = request.windows(2).position(|pair| pair == b"\r\n");
    match (sent(), line) {
        (Some(key), Some(end)) if request[..end].ends_with(b" HTTP/1.1") => {
            let (line, rest) = request.split_at(end);
            let key = format!("\r\nAuthorization: Bearer {key}");
            [line, key.as_bytes(), rest].concat()
        }
        _ => request.to_owned(),
    }
}
