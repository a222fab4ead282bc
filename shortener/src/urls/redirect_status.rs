//! How a redirect is answered (RFC 9110, section 15.4).

use axum::http::StatusCode;

use crate::{invalid::Invalid, openapi::value_schema};

/// The statuses that send a visitor on. All but 302 are chosen by a URL's owner.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, sqlx::Type)]
#[repr(i16)]
pub enum RedirectStatus {
    MovedPermanently = 301,
    #[default]
    Found = 302,
    TemporaryRedirect = 307,
    PermanentRedirect = 308,
}

impl RedirectStatus {
    pub fn parse(number: i64) -> Result<Self, Invalid> {
        match number {
            301 => Ok(Self::MovedPermanently),
            302 => Ok(Self::Found),
            307 => Ok(Self::TemporaryRedirect),
            308 => Ok(Self::PermanentRedirect),
            _ => Err("must be 301, 302, 307 or 308".into()),
        }
    }

    pub fn code(self) -> StatusCode {
        match self {
            Self::MovedPermanently => StatusCode::MOVED_PERMANENTLY,
            Self::Found => StatusCode::FOUND,
            Self::TemporaryRedirect => StatusCode::TEMPORARY_REDIRECT,
            Self::PermanentRedirect => StatusCode::PERMANENT_REDIRECT,
        }
    }
}

value_schema!(RedirectStatus, {"type": "integer", "enum": [301, 302, 307, 308]});

impl serde::Serialize for RedirectStatus {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.code().as_u16())
    }
}
