//! What a link is known by.

use std::hash::{Hash, Hasher};

use quick_cache::Equivalent;

/// The one domain there is.
pub const DOMAIN: i64 = 1;

/// A short code within its domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LinkKey {
    pub domain: i64,
    pub code: Box<str>,
}

/// A [`LinkKey`] that need not be allocated to be looked up.
#[derive(Clone, Copy, Debug)]
pub struct LinkRef<'a> {
    pub domain: i64,
    pub code: &'a str,
}

impl<'a> LinkRef<'a> {
    pub fn new(code: &'a str) -> Self {
        Self {
            domain: DOMAIN,
            code,
        }
    }

    pub fn to_key(self) -> LinkKey {
        LinkKey {
            domain: self.domain,
            code: self.code.into(),
        }
    }
}

impl LinkKey {
    pub fn as_ref(&self) -> LinkRef<'_> {
        LinkRef {
            domain: self.domain,
            code: &self.code,
        }
    }
}

impl Hash for LinkRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.domain.hash(state);
        self.code.hash(state);
    }
}

impl Hash for LinkKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl Equivalent<LinkKey> for LinkRef<'_> {
    fn equivalent(&self, key: &LinkKey) -> bool {
        self.domain == key.domain && self.code == &*key.code
    }
}
