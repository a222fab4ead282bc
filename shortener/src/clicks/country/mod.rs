//! The country that an address is in, by a database file in `MaxMind`'s format.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::{MaxMindDbError, PathElement, Reader, WithinOptions};

/// Networks looked at to find out whether a file knows countries at all: the first ones of a good
/// file are reserved for special use and may have none.
const PROBED_NETWORKS: usize = 1_000;

/// `GeoLite2`, DB-IP and `IP2Location` nest the code; `IPinfo` and others have it at the top.
const PLACES: &[&[PathElement<'static>]] = &[
    &[PathElement::Key("country"), PathElement::Key("iso_code")],
    &[PathElement::Key("country_code")],
    &[PathElement::Key("country")],
];

/// An ISO 3166-1 code of two capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// The two letters.
    pub fn code(self) -> [u8; 2] {
        self.0
    }

    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("two ASCII letters")
    }

    fn parse(code: &str) -> Option<Self> {
        let code: [u8; 2] = code.as_bytes().try_into().ok()?;
        code.iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Self(code))
    }
}

/// Countries by address. The whole file is held in memory (a country file has 5 to 10 MB).
#[derive(Debug)]
pub struct Countries {
    reader: Reader<Vec<u8>>,
    /// Where this file keeps the code.
    place: &'static [PathElement<'static>],
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("could not read the GeoIP file {}", .path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is no GeoIP file in MaxMind's format (.mmdb)", .path.display())]
    Format {
        path: PathBuf,
        source: MaxMindDbError,
    },
    #[error("the GeoIP file {} knows no countries (it is of type {kind:?})", .path.display())]
    NoCountries { path: PathBuf, kind: String },
}

impl Countries {
    /// Reads the file at `path` and makes sure that it can tell countries.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let path = path.to_owned();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => return Err(OpenError::Read { path, source }),
        };
        let reader = match Reader::from_source(bytes) {
            Ok(reader) => reader,
            Err(source) => return Err(OpenError::Format { path, source }),
        };
        match place_of_countries(&reader) {
            Ok(Some(place)) => Ok(Self { reader, place }),
            Ok(None) => {
                let kind = reader.metadata().database_type.clone();
                Err(OpenError::NoCountries { path, kind })
            }
            Err(source) => Err(OpenError::Format { path, source }),
        }
    }

    /// The country of `address`, as far as the file knows.
    pub fn of(&self, address: IpAddr) -> Option<Country> {
        // A damaged record is as good as none: a redirect must not fail over it.
        let found = self.reader.lookup(address.to_canonical()).ok()?;
        Country::parse(found.decode_path(self.place).ok()??)
    }
}

type Place = &'static [PathElement<'static>];

fn place_of_countries(reader: &Reader<Vec<u8>>) -> Result<Option<Place>, MaxMindDbError> {
    for network in reader
        .networks(WithinOptions::default())?
        .take(PROBED_NETWORKS)
    {
        let network = network?;
        for place in PLACES {
            if let Ok(Some(code)) = network.decode_path(place)
                && Country::parse(code).is_some()
            {
                return Ok(Some(place));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod mmdb;

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens a file that knows these networks.
    fn open(networks: &[(&str, u32, Vec<u8>)]) -> Result<Countries, OpenError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), mmdb::write(networks)).unwrap();
        Countries::open(file.path())
    }

    /// A record as `GeoLite2` has it.
    fn country(code: &str) -> Vec<u8> {
        mmdb::map(&[("country", mmdb::map(&[("iso_code", mmdb::string(code))]))])
    }

    #[track_caller]
    fn check(countries: &Countries, address: &str, expected: &str) {
        let country = countries.of(address.parse().unwrap());
        assert_eq!(
            country.as_ref().map_or("", Country::as_str),
            expected,
            "{address}"
        );
    }

    #[test]
    fn addresses_have_countries() {
        let countries = open(&[
            ("::192.0.2.0", 96 + 24, country("DE")),
            ("::198.51.100.0", 96 + 25, country("JP")),
            ("::198.51.100.128", 96 + 25, country("not a code")),
            ("2001:db8::", 32, country("BR")),
        ])
        .unwrap();

        check(&countries, "192.0.2.1", "DE");
        check(&countries, "::ffff:192.0.2.255", "DE");
        check(&countries, "198.51.100.1", "JP");
        check(&countries, "198.51.100.129", "");
        check(&countries, "203.0.113.1", "");
        check(&countries, "2001:db8:1::1", "BR");
        check(&countries, "2001:db9::1", "");
    }

    #[test]
    fn flat_records_are_understood() {
        let flat = mmdb::map(&[
            ("country", mmdb::string("Japan")),
            ("country_code", mmdb::string("JP")),
        ]);
        check(
            &open(&[("2001:db8::", 32, flat)]).unwrap(),
            "2001:db8::1",
            "JP",
        );

        let short = mmdb::map(&[("country", mmdb::string("JP"))]);
        check(
            &open(&[("2001:db8::", 32, short)]).unwrap(),
            "2001:db8::1",
            "JP",
        );
    }

    #[test]
    fn a_wrong_file_is_named_with_its_fault() {
        let missing = Countries::open(Path::new("/nowhere/country.mmdb")).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "could not read the GeoIP file /nowhere/country.mmdb"
        );

        let text = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(text.path(), "a text").unwrap();
        let error = Countries::open(text.path()).unwrap_err().to_string();
        assert!(
            error.ends_with("is no GeoIP file in MaxMind's format (.mmdb)"),
            "{error}"
        );

        let asn = mmdb::map(&[("autonomous_system_organization", mmdb::string("Example"))]);
        let error = open(&[("2001:db8::", 32, asn)]).unwrap_err().to_string();
        assert!(
            error.ends_with("knows no countries (it is of type \"Test\")"),
            "{error}"
        );
    }

    #[test]
    fn a_damaged_file_never_panics() {
        let whole = mmdb::write(&[("::192.0.2.0", 96 + 24, country("DE"))]);
        for at in 0..whole.len() {
            for byte in [0, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = byte;
                let file = tempfile::NamedTempFile::new().unwrap();
                std::fs::write(file.path(), damaged).unwrap();
                if let Ok(countries) = Countries::open(file.path()) {
                    countries.of("192.0.2.1".parse().unwrap());
                }
            }
        }
    }
}
