//! The headers that a quick answer may depend on.

use axum::http::HeaderMap;

/// What a request says of itself and its way here, each header as it came.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Told<'a> {
    pub user_agent: Option<&'a [u8]>,
    pub referer: Option<&'a [u8]>,
    pub x_request_id: Option<&'a [u8]>,
    pub x_forwarded_for: Option<&'a [u8]>,
    pub forwarded: Option<&'a [u8]>,
    /// Browsers say in one of these why they ask.
    pub purposes: [Option<&'a [u8]>; PURPOSES.len()],
}

pub const PURPOSES: [&str; 4] = ["sec-purpose", "purpose", "x-moz", "x-purpose"];

impl<'a> Told<'a> {
    /// `None` if one of them is given twice: then their order may matter.
    pub fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut told = Self::default();
        for (name, value) in headers {
            if let Some(place) = told.place(|known| name.as_str() == known)
                && place.replace(value.as_bytes()).is_some()
            {
                return None;
            }
        }
        Some(told)
    }

    /// Where the header goes that `is` knows the lower-case name of.
    pub(super) fn place(&mut self, is: impl Fn(&str) -> bool) -> Option<&mut Option<&'a [u8]>> {
        let places = [
            ("user-agent", &mut self.user_agent),
            ("referer", &mut self.referer),
            ("x-request-id", &mut self.x_request_id),
            ("x-forwarded-for", &mut self.x_forwarded_for),
            ("forwarded", &mut self.forwarded),
        ];
        let purposes = PURPOSES.into_iter().zip(&mut self.purposes);
        let mut all = places.into_iter().chain(purposes);
        all.find_map(|(name, place)| is(name).then_some(place))
    }
}
