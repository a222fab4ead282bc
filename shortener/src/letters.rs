//! The letters and digits that generated codes and keys are made of.

use rand::{TryRng as _, rngs::SysRng};

pub const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// One of [`ALPHABET`], from the operating system's random numbers.
pub fn random() -> char {
    loop {
        let mut byte = [0];
        SysRng
            .try_fill_bytes(&mut byte)
            .expect("the operating system has random numbers");
        // Six bits make 64 values; the two that name no letter are drawn again, so that all letters are equally likely.
        if let Some(letter) = ALPHABET.get(usize::from(byte[0] >> 2)) {
            return char::from(*letter);
        }
    }
}
