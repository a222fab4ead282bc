//! `users.csv`, as it is uploaded.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shortener::users::bulk::UserRow;

fuzz_target!(|file: &[u8]| {
    for user in shortener_fuzz::read_csv::<UserRow>(file, &()) {
        assert!(user.id > 0);
        assert!(!user.username.as_str().trim().is_empty());
        assert!(user.email.as_str().contains('@'));
    }
});
