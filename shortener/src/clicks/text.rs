//! Makes text written by strangers safe to store: in both databases, in a journal, in a CSV cell.

use std::borrow::Cow;

/// The text in `bytes` without control characters, no longer than `limit` bytes.
///
/// Postgres refuses NUL and bytes that are not UTF-8, and one such click would stop a whole batch.
/// The other control characters go too, since nothing that follows them is what a reader sees.
/// Borrows where nothing had to change; cuts between characters.
pub fn safe(bytes: &[u8], limit: usize) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) if !has_controls(text) => Cow::Borrowed(cut(text, limit)),
        _ => Cow::Owned(without_controls(&String::from_utf8_lossy(bytes), limit)),
    }
}

/// The longest start of `text` that ends between two characters and fits into `limit` bytes.
pub fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

fn has_controls(text: &str) -> bool {
    // Nearly all text is printable ASCII, which is seen many bytes at a time: `all` would stop
    // at the first other byte and so look at them one by one.
    let is_plain = text
        .bytes()
        .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
    !is_plain && text.contains(char::is_control)
}

fn without_controls(text: &str, limit: usize) -> String {
    let mut safe = String::with_capacity(text.len().min(limit));
    for character in text.chars().filter(|character| !character.is_control()) {
        if safe.len() + character.len_utf8() > limit {
            break;
        }
        safe.push(character);
    }
    safe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], limit: usize, expected: &str) {
        assert_eq!(safe(bytes, limit), expected);
    }

    #[test]
    fn plain_text_is_borrowed() {
        assert!(matches!(
            safe(b"newsletter", 64),
            Cow::Borrowed("newsletter")
        ));
        assert!(matches!(safe(b"newsletter", 4), Cow::Borrowed("news")));
        assert!(matches!(safe(b"", 4), Cow::Borrowed("")));
    }

    #[test]
    fn control_characters_are_removed() {
        check(b"a\0b", 64, "ab");
        check(b"a\r\nb\tc\x7f\x1b[31m", 64, "abc[31m");
        check("a\u{85}b\u{9b}".as_bytes(), 64, "ab");
        check(b"\0\0\0\0\0\0\0\0\0\0ab", 2, "ab");
    }

    #[test]
    fn bytes_that_are_no_utf8_are_replaced() {
        check(b"caf\xe9", 64, "caf\u{fffd}");
        check(b"\xff\xfe", 4, "\u{fffd}");
        // Half of a surrogate pair, as CESU-8 writes it.
        check(b"\xed\xa0\xbd!", 64, "\u{fffd}\u{fffd}\u{fffd}!");
    }

    #[test]
    fn the_cut_is_between_characters() {
        check("añb".as_bytes(), 2, "a");
        check("añb".as_bytes(), 3, "añ");
        check("日本語".as_bytes(), 8, "日本");
        check("😀".as_bytes(), 3, "");
        check(b"anything", 0, "");
    }

    proptest! {
        #[test]
        fn whatever_comes_is_bounded_and_has_no_controls(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
            limit in 0_usize..80,
        ) {
            let text = safe(&bytes, limit);
            prop_assert!(text.len() <= limit);
            prop_assert!(!text.contains(char::is_control));
            // Making it safe twice changes nothing.
            prop_assert_eq!(safe(text.as_bytes(), limit), text.clone());
        }

        #[test]
        fn text_without_controls_is_only_cut(text in "\\PC{0,40}", limit in 0_usize..80) {
            prop_assert_eq!(safe(text.as_bytes(), limit), cut(&text, limit));
        }
    }
}
