//! The `Date` of answers (RFC 9110, section 6.6.1).

use std::{cell::RefCell, time::SystemTime};

use crate::database::timestamp::Timestamp;

struct Date {
    second: i64,
    text: String,
}

/// Appends `now`, which is made into text once a second.
pub fn write(now: Timestamp, output: &mut Vec<u8>) {
    thread_local! {
        static DATE: RefCell<Date> = const {
            RefCell::new(Date {
                second: i64::MIN,
                text: String::new(),
            })
        };
    }
    let second = now.micros().div_euclid(1_000_000);
    DATE.with_borrow_mut(|date| {
        if date.second != second {
            date.second = second;
            date.text = httpdate::fmt_http_date(SystemTime::from(now.utc()));
        }
        output.extend_from_slice(date.text.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_changes_with_the_second() {
        for (micros, expected) in [
            (784_111_777_000_000, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (784_111_777_999_999, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (784_111_778_000_000, "Sun, 06 Nov 1994 08:49:38 GMT"),
        ] {
            let mut output = Vec::new();
            write(Timestamp::from_micros(micros).unwrap(), &mut output);
            assert_eq!(String::from_utf8(output).unwrap(), expected);
        }
    }
}
