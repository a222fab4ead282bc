//! A click as the database keeps it: a visit, made sense of.

use super::{
    campaign::Campaign,
    referrer,
    rollup::{Counted, Dimension, Slot},
    text,
    user_agent::{Cache, Visit as Visitor},
    visit::{Purpose, Unreadable, Visit},
};
use crate::database::timestamp::Timestamp;

/// One row of `click`.
#[derive(Clone, Debug)]
pub struct ClickRow {
    pub url_id: i64,
    pub user_id: i64,
    pub occurred_at: Timestamp,
    pub visitor: u64,
    pub kind: Visitor,
    pub referrer: Option<String>,
    pub browser: &'static str,
    pub os: &'static str,
    pub device: &'static str,
    pub country: Option<String>,
    pub campaign: Campaign,
}

/// Makes rows of records. Keeps what it has learnt about user agents, which repeat.
#[derive(Debug)]
pub struct Interpreter {
    user_agents: Cache,
    /// The service's own names: a visit from one of them came from no other site.
    own_hosts: Vec<String>,
}

/// No user agent that anybody reads is longer.
const MAX_USER_AGENT: usize = 512;

impl Interpreter {
    pub fn new(own_hosts: Vec<String>) -> Self {
        Self {
            user_agents: Cache::default(),
            own_hosts,
        }
    }

    pub fn row(&mut self, record: &[u8]) -> Result<ClickRow, Unreadable> {
        let visit = Visit::read(record)?;
        let user_agent = text::safe(visit.user_agent, MAX_USER_AGENT);
        let seen = self.user_agents.parse(&user_agent);
        let kind = match (seen.visit, visit.purpose) {
            (Visitor::Person, Purpose::Prefetch) => Visitor::Prefetch,
            (Visitor::Person, Purpose::Preview) => Visitor::Preview,
            (seen, _) => seen,
        };
        Ok(ClickRow {
            url_id: visit.url_id,
            user_id: visit.user_id,
            occurred_at: Timestamp::from_micros(visit.at_micros).ok_or(Unreadable)?,
            visitor: visit.visitor,
            kind,
            referrer: std::str::from_utf8(visit.referrer)
                .ok()
                .and_then(|header| referrer::host(header, &self.own_hosts)),
            browser: seen.browser,
            os: seen.os,
            device: seen.device.as_str(),
            country: visit.country().map(str::to_owned),
            campaign: Campaign::parse(&String::from_utf8_lossy(visit.query)),
        })
    }
}

impl ClickRow {
    /// The number that stands for the kind in the database.
    pub fn kind_number(&self) -> i16 {
        match self.kind {
            Visitor::Person => 0,
            Visitor::Bot => 1,
            Visitor::Preview => 2,
            Visitor::Prefetch => 3,
        }
    }

    pub fn slot(&self) -> Slot {
        Slot::of(self.occurred_at)
    }

    /// Has `count` see what the roll-ups keep of this click.
    pub fn counted(&self, count: impl FnOnce(Counted<'_>)) {
        let campaign = &self.campaign;
        let values = [
            (Dimension::Referrer, self.referrer.as_deref()),
            (Dimension::Country, self.country.as_deref()),
            (Dimension::Browser, Some(self.browser)),
            (Dimension::Os, Some(self.os)),
            (Dimension::Device, Some(self.device)),
            (Dimension::UtmSource, campaign.source.as_deref()),
            (Dimension::UtmMedium, campaign.medium.as_deref()),
            (Dimension::UtmCampaign, campaign.name.as_deref()),
            (Dimension::UtmTerm, campaign.term.as_deref()),
            (Dimension::UtmContent, campaign.content.as_deref()),
        ];
        let values: Vec<_> = values
            .into_iter()
            .filter_map(|(dimension, value)| Some((dimension, value?)))
            .collect();
        count(Counted {
            slot: self.slot(),
            is_person: self.kind == Visitor::Person,
            visitor: self.visitor,
            values: &values,
        });
    }
}
