//! Data files of the contest's shape, made up: the same for the same numbers, so that a failure can be repeated.
//!
//! They hold what real ones surprise with: usernames that come twice with different e-mails, URLs older than their
//! owner, inactive URLs, `deleted` events of URLs that are active, `details` as JSON text in a quoted field.

use std::fmt::Write as _;

/// Makes the draws; any number will do.
const SEED: u64 = 0x5EED;

/// 1 January 2024, UTC, in seconds since 1970: the time of the earliest row.
const EARLIEST: u64 = 1_704_067_200;

const DAY: u64 = 24 * 60 * 60;

const WORDS: [&str; 12] = [
    "amber", "beacon", "cedar", "delta", "ember", "forest", "garden", "harbor", "island", "jade",
    "lagoon", "orbit",
];

/// `users.csv`: `id,username,email,created_at`. Every 50th user has the name of the one before.
pub fn users(n: usize) -> String {
    let mut file = String::from("id,username,email,created_at\n");
    for id in 1..=n {
        let named = if id.is_multiple_of(50) { id - 1 } else { id };
        let (first, second) = (word(named, 1), word(named, 2));
        let at = timestamp(created_at(id, 3));
        row(
            &mut file,
            format_args!("{id},{first}{second}{named},{first}{second}{id}@example.net,{at}"),
        );
    }
    file
}

/// `urls.csv`: `id,user_id,short_code,original_url,title,is_active,created_at,updated_at`. Owners are `1..=users`.
pub fn urls(n: usize, users: usize) -> String {
    let mut file =
        String::from("id,user_id,short_code,original_url,title,is_active,created_at,updated_at\n");
    for id in 1..=n {
        let owner = 1 + draw(id, 10) % users.max(1);
        let code = short_code(id);
        let (first, second) = (word(id, 11), word(id, 12));
        let title = if id.is_multiple_of(40) {
            format!("\"{first}, \"\"{second}\"\" and more\"")
        } else {
            format!("{first} {second}")
        };
        let active = if draw(id, 13).is_multiple_of(5) {
            "False"
        } else {
            "True"
        };
        let created = created_at(id, 14);
        let (created, updated) = (timestamp(created), timestamp(created + updated_after(id)));
        row(
            &mut file,
            format_args!(
                "{id},{owner},{code},https://example.org/{first}/{second}/{id},{title},{active},{created},{updated}"
            ),
        );
    }
    file
}

/// `events.csv`: `id,url_id,user_id,event_type,timestamp,details`, about the rows of a `urls` file as [`urls`] makes it:
/// a `created` for each, then `updated` and `deleted`, which the state of the URLs does not follow.
pub fn events(n: usize, urls: &str) -> String {
    let urls: Vec<_> = urls.lines().skip(1).collect();
    let mut file = String::from("id,url_id,user_id,event_type,timestamp,details\n");
    for id in 1..=n {
        let index = if id <= urls.len() {
            id - 1
        } else {
            draw(id, 20) % urls.len()
        };
        // The first four fields are never quoted.
        let fields: Vec<_> = urls[index].split(',').take(4).collect();
        let &[url_id, user_id, code, original_url] = fields.as_slice() else {
            panic!("not a row of URLs: {}", urls[index]);
        };
        let (event_type, details) = if id <= urls.len() {
            let details = format!(r#"{{"short_code":"{code}","original_url":"{original_url}"}}"#);
            ("created", details)
        } else {
            change(id)
        };
        let (at, details) = (timestamp(created_at(id, 21)), quoted(&details));
        row(
            &mut file,
            format_args!("{id},{url_id},{user_id},{event_type},{at},{details}"),
        );
    }
    file
}

/// An event after the first, with its details.
fn change(id: usize) -> (&'static str, String) {
    const FIELDS: [&str; 3] = ["original_url", "is_active", "title"];
    const REASONS: [&str; 4] = ["expired", "policy_cleanup", "duplicate", "user_requested"];

    if draw(id, 22).is_multiple_of(7) {
        let reason = REASONS[draw(id, 23) % REASONS.len()];
        return ("deleted", format!(r#"{{"reason":"{reason}"}}"#));
    }
    let field = FIELDS[draw(id, 24) % FIELDS.len()];
    let value = word(id, 25);
    (
        "updated",
        format!(r#"{{"field":"{field}","new_value":"{value}"}}"#),
    )
}

/// As a CSV field that may hold anything.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn row(file: &mut String, fields: std::fmt::Arguments<'_>) {
    writeln!(file, "{fields}").expect("a string takes everything");
}

/// Six letters and digits, never twice: the factor shares no divisor with the number of codes, 62^6.
fn short_code(id: usize) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const CODES: usize = 62_usize.pow(6);

    let mut rest = id * 27_644_437_003 % CODES;
    let mut code = String::new();
    for _ in 0..6 {
        code.push(char::from(DIGITS[rest % 62]));
        rest /= 62;
    }
    code
}

fn word(id: usize, purpose: u64) -> &'static str {
    WORDS[draw(id, purpose) % WORDS.len()]
}

/// Within two years of the earliest row.
fn created_at(id: usize, purpose: u64) -> u64 {
    EARLIEST + draw(id, purpose) as u64 % (2 * 365 * DAY)
}

fn updated_after(id: usize) -> u64 {
    draw(id, 15) as u64 % (90 * DAY)
}

/// A number that looks random, the same for the same row and purpose (splitmix64).
fn draw(id: usize, purpose: u64) -> usize {
    let mut z = SEED ^ (id as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ purpose.rotate_left(48);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    usize::try_from((z ^ (z >> 31)) >> 1 & 0x7FFF_FFFF).expect("31 bits fit")
}

/// `YYYY-MM-DD HH:MM:SS` of seconds since 1970.
fn timestamp(seconds: u64) -> String {
    let (days, time) = (seconds / DAY, seconds % DAY);
    // Counted from 1 March of the year 0, so that the leap day is the last of a year (Howard Hinnant's `civil_from_days`).
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year + next;
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{events, timestamp, urls, users};

    /// The `index`th field of each row, of those before any quoted one.
    fn column(file: &str, index: usize) -> Vec<&str> {
        file.lines()
            .skip(1)
            .map(|row| row.split(',').nth(index).unwrap())
            .collect()
    }

    fn distinct<T: Eq + std::hash::Hash>(values: &[T]) -> usize {
        values.iter().collect::<HashSet<_>>().len()
    }

    #[test]
    fn the_same_numbers_give_the_same_files() {
        assert_eq!(urls(100, 10), urls(100, 10));
        assert_eq!(events(300, &urls(100, 10)), events(300, &urls(100, 10)));
    }

    #[test]
    fn usernames_repeat_and_e_mails_do_not() {
        let users = users(400);
        assert_eq!(column(&users, 0).len(), 400);
        assert_eq!(distinct(&column(&users, 1)), 392);
        assert_eq!(distinct(&column(&users, 2)), 400);
    }

    #[test]
    fn codes_are_unique_and_some_urls_are_inactive() {
        let urls = urls(20_000, 400);
        let codes = column(&urls, 2);
        assert_eq!(distinct(&codes), 20_000);
        assert!(codes.iter().all(|code| code.len() == 6));
        let inactive = urls.matches(",False,").count();
        assert!((2_000..6_000).contains(&inactive), "{inactive}");
    }

    #[test]
    fn every_event_is_about_a_url_and_its_owner() {
        let urls = urls(2_000, 400);
        let events = events(3_422, &urls);
        let owners: HashSet<_> = column(&urls, 0).into_iter().zip(column(&urls, 1)).collect();
        let about = column(&events, 1).into_iter().zip(column(&events, 2));
        assert!(about.into_iter().all(|pair| owners.contains(&pair)));
        assert_eq!(
            column(&events, 3)
                .iter()
                .filter(|kind| **kind == "created")
                .count(),
            2_000
        );
        assert!(events.contains(r#","{""reason"":"""#), "details are quoted");
    }

    #[test]
    fn times_are_written_as_people_do() {
        assert_eq!(timestamp(951_782_399), "2000-02-28 23:59:59");
        assert_eq!(timestamp(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(timestamp(1_735_689_599), "2024-12-31 23:59:59");
    }
}
