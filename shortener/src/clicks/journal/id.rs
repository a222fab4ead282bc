//! The name of a journal: 128 random bits, so that no two processes ever share one.

use std::fmt;
use std::str::FromStr;

/// Written as 32 lowercase hexadecimal digits, the name of the journal's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalId(u128);

/// A text that names no journal.
#[derive(Debug, thiserror::Error)]
#[error("a journal is named by 32 lowercase hexadecimal digits")]
pub struct NotAnId;

impl JournalId {
    pub(super) fn random() -> Self {
        Self(rand::random())
    }

    pub(super) const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for JournalId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let id = Self(u128::from_str_radix(text, 16).map_err(|_| NotAnId)?);
        // One spelling only: a folder `+1` or `1` is nobody's journal.
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(NotAnId)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_one_spelling() {
        let id = JournalId::random();
        assert_eq!(id.to_string().parse::<JournalId>().unwrap(), id);

        let upper = format!("{:032X}", u128::MAX);
        for text in [
            "",
            "1",
            "+0000000000000000000000000000001",
            "lost+found",
            &upper,
        ] {
            assert!(text.parse::<JournalId>().is_err(), "{text}");
        }
    }
}
