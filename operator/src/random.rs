//! What is drawn by chance.

use rand::RngExt as _;

/// A secret that nobody guesses, of letters and digits alone, so that it fits into an address: 40 of 62 are 238 bits.
pub fn secret() -> String {
    text(40)
}

/// A text of letters and digits.
pub fn text(length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut rng = rand::rng();
    let letters = (0..length).map(|_| LETTERS[rng.random_range(0..LETTERS.len())]);
    letters.map(char::from).collect()
}

/// From 0 up to 1.
pub fn fraction() -> f64 {
    rand::rng().random()
}
