//! Hosts that can be taken for others: `аpple.com` with a Cyrillic `а`, `аррӏе.com` with nothing but Cyrillic letters.
//!
//! What can be confused is what Unicode Technical Standard 39 says. Such a host may be meant, so that a URL to it is made,
//! and its answer says what somebody should look at. Names in one script that read like nothing else, such as `例え.jp` or
//! `münchen.de`, get no warning. Letters of Latin itself that look alike, such as `ı` and `i`, are Turkish, and get none either.

use schemars::JsonSchema;
use serde::Serialize;
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};
use unicode_security::{
    GeneralSecurityProfile as _, MixedScript as _, RestrictionLevel,
    RestrictionLevelDetection as _, skeleton,
};
use url::{Host, Url};

/// What whoever shortens a URL, or is about to follow it, should know of its target. Made from the target, never stored.
#[derive(Clone, Debug, Default, Eq, JsonSchema, PartialEq, Serialize)]
#[schemars(inline)]
pub struct Warnings(Vec<Warning>);

#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Warning {
    pub code: WarningCode,
    /// A sentence, which may change; the code does not.
    pub detail: String,
}

#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningCode {
    /// Letters of scripts that are not written together (UTS 39, 5.2, below "highly restrictive").
    MixedScripts,
    /// One script, of which every letter looks like a Latin one (UTS 39, 4, "whole-script confusable").
    LooksLatin,
    /// Characters that names are not made of (UTS 39, 3.1).
    UncommonCharacters,
}

impl Warnings {
    /// What there is to say of the host of an original URL.
    pub fn of(original_url: &str) -> Self {
        let url = Url::parse(original_url).ok();
        let Some(Host::Domain(host)) = url.as_ref().and_then(Url::host) else {
            return Self::default();
        };
        // Nearly all.
        if !host.contains("xn--") {
            return Self::default();
        }
        let name = url::quirks::domain_to_unicode(host);
        let labels = || name.split('.').filter(|label| !label.is_empty());
        // Below a top-level domain in its own script, a script is where people expect it.
        let is_latin_expected = labels().next_back().is_some_and(str::is_ascii);
        let mut codes: Vec<_> = labels()
            .filter_map(|label| judge(label, is_latin_expected))
            .collect();
        codes.dedup();
        let warning = |code: WarningCode| Warning {
            code,
            detail: code.detail(host, &name),
        };
        Self(codes.into_iter().map(warning).collect())
    }

    /// The sentences alone.
    pub fn details(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|warning| warning.detail.as_str())
    }
}

/// From the column of the target: whatever reads a URL from the database has its warnings.
impl<'r, R: Row> FromRow<'r, R> for Warnings
where
    &'static str: ColumnIndex<R>,
    &'r str: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        row.try_get("original_url").map(Self::of)
    }
}

impl WarningCode {
    /// The ASCII form tells hosts apart that look the same.
    fn detail(self, host: &str, name: &str) -> String {
        let what = match self {
            Self::MixedScripts => "mixes letters of scripts that are not written together",
            Self::LooksLatin => {
                "is written in a script of which all these letters look like Latin ones"
            }
            Self::UncommonCharacters => "has characters that names are not made of",
        };
        let reads = match reads_like(name) {
            Some(reading) => format!(", and may be taken for `{reading}`"),
            None => String::new(),
        };
        format!("the host `{host}` {what}{reads}: make sure that it is the one that is meant")
    }
}

/// What is wrong with a label in Unicode, if anything is.
fn judge(label: &str, is_latin_expected: bool) -> Option<WarningCode> {
    if label.is_ascii() {
        return None;
    }
    // The URL parser has checked joiners in their context (RFC 5892, appendix A).
    let is_joiner = |c: char| matches!(c, '\u{200c}' | '\u{200d}');
    let letters: String = label.chars().filter(|&c| !is_joiner(c)).collect();
    if !letters.chars().all(char::identifier_allowed) {
        return Some(WarningCode::UncommonCharacters);
    }
    if letters.as_str().detect_restriction_level() > RestrictionLevel::HighlyRestrictive {
        return Some(WarningCode::MixedScripts);
    }
    // With one more Latin letter, Latin is still a single script.
    let is_latin = format!("{letters}a").as_str().is_single_script();
    let looks_latin = !is_latin && reads_like(&letters).is_some();
    (is_latin_expected && looks_latin).then_some(WarningCode::LooksLatin)
}

/// The ASCII text that `name` can be taken for, if there is one.
fn reads_like(name: &str) -> Option<String> {
    let skeleton: String = skeleton(name).collect();
    // A skeleton is made to be compared: it has `rn` for `m`, and `O` for `0`.
    skeleton
        .is_ascii()
        .then(|| skeleton.replace("rn", "m").to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, expected: Option<WarningCode>) {
        let warnings = Warnings::of(&format!("https://{host}/path?query"));
        let codes: Vec<_> = warnings.0.iter().map(|warning| warning.code).collect();
        assert_eq!(codes, Vec::from_iter(expected), "{host}: {warnings:?}");
    }

    #[test]
    fn letters_of_several_scripts_in_one_label_are_told() {
        for host in [
            // Cyrillic а, о, е, р and с, Greek ο and ν among Latin letters.
            "аpple.com",
            "xn--pple-43d.com",
            "XN--PPLE-43D.COM",
            "%D0%B0pple.com",
            "gооgle.com",
            "www.gοοgle.com",
            "pаypal.com:8443",
            "раypal.com",
            "micrοsoft.com.",
            "faceboоk.com",
            // Cyrillic and Greek without Latin; Hiragana and Hangul.
            "аλ.com",
            "あ한.com",
            // Latin and Devanagari: fit for nothing but a browser's "moderately restrictive".
            "aअ.com",
        ] {
            check(host, Some(WarningCode::MixedScripts));
        }
    }

    #[test]
    fn a_label_that_reads_like_a_latin_one_is_told() {
        for host in [
            "аррӏе.com",
            "xn--80ak6aa92e.com",
            "www.сосо.org",
            "ѕсоре.net",
            "οο.com",
        ] {
            check(host, Some(WarningCode::LooksLatin));
        }
    }

    #[test]
    fn characters_that_names_are_not_made_of_are_told() {
        // A Latin letter of phonetics, an emoji.
        for host in ["ɡoogle.com", "i❤.ws"] {
            check(host, Some(WarningCode::UncommonCharacters));
        }
    }

    #[test]
    fn names_in_a_script_of_their_own_are_let_be() {
        for host in [
            "example.com",
            "münchen.de",
            "xn--mnchen-3ya.de",
            "bücher.example",
            "straße.de",
            "altın.com.tr",
            "例え.jp",
            "xn--r8jz45g.jp",
            "東京タワー.jp",
            "日本abc.jp",
            "中文.com",
            "한국.kr",
            "한국abc.kr",
            "пример.рф",
            "москва.com",
            "παράδειγμα.gr",
            "مثال.إختبار",
            "उदाहरण.भारत",
            "דוגמה.com",
            "ตัวอย่าง.th",
            "նմուշ.հայ",
            // All look Latin, but nobody expects Latin there.
            "сосо.рф",
            // Each label for itself.
            "пример.example.com",
            "192.0.2.1",
            "[2001:db8::1]",
        ] {
            check(host, None);
        }
    }

    #[test]
    fn a_sentence_tells_the_hosts_apart() {
        let warnings = Warnings::of("https://аррӏе.com/");
        let details: Vec<_> = warnings.details().collect();
        assert_eq!(
            details,
            [
                "the host `xn--80ak6aa92e.com` is written in a script of which all these letters look like Latin ones, and may be taken for `apple.com`: make sure that it is the one that is meant"
            ]
        );
    }

    #[test]
    fn what_is_no_url_has_nothing_to_warn_of() {
        for text in ["", "аpple.com", "https://", "mailto:a@аpple.com"] {
            assert_eq!(Warnings::of(text), Warnings::default(), "{text}");
        }
    }
}
