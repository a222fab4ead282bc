//! The vocabulary of `status.conditions`. Nowhere else is a type or a reason spelt out.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

/// What a condition is about.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum About {
    /// The whole, in one word.
    Ready,
    /// Something is under way.
    Progressing,
    /// Something is not as it should be.
    Degraded,
    /// `Progressing`, as kstatus (Argo CD, Flux) reads it.
    Reconciling,
    /// Nothing will change until somebody acts, as kstatus reads it.
    Stalled,
    AppReady,
    /// All replicas run what was asked for.
    RolledOut,
    PostgresReady,
    MigrationReady,
    RedisReady,
    ExposureReady,
    AutoscalingReady,
    MetricsFlowing,
    MonitoringReady,
    ConnectionsFit,
    HighlyAvailable,
    /// Nobody keeps undoing what we apply.
    InSync,
}

/// What a reason means for whoever looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// As it should be.
    Good,
    /// It takes its time, and goes on by itself.
    Waiting,
    /// Not as it should be; it may mend by itself.
    Fault,
    /// Not as it should be, and somebody has to act.
    Stalled,
    /// Nobody can tell.
    Unknown,
    /// Not as good as it could be, by choice.
    Notice,
}

/// Why a part is as it is. Each reason implies the status, so that the two cannot disagree.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    Available,
    Complete,
    Connected,
    Flowing,
    Installed,
    Spread,
    WithinLimit,
    RollingOut,
    Starting,
    WaitingForMigration,
    WaitingForDatabase,
    Migrating,
    HandingOver,
    HandingBack,
    WaitingForMetrics,
    NotAccepted,
    Queued,
    Paused,
    CrdNotInstalled,
    ReplicaFailure,
    ImagePullFailed,
    Unschedulable,
    Crashing,
    ScaledObjectBlocked,
    NotScaling,
    PrometheusUnreachable,
    NoSeries,
    SeriesDoubled,
    WriteRefused,
    DriftContested,
    MigrationOverdue,
    MigrationFailed,
    CredentialsMissing,
    SecretMissing,
    DatabaseInUse,
    HostInUse,
    NameInUse,
    LimitExceeded,
    MajorMismatch,
    LimitUnknown,
    NotReadable,
    SingleReplica,
    SingleNode,
    SingleDatabase,
}

/// What was found about one part.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub about: About,
    pub reason: Reason,
    pub message: String,
}

impl Finding {
    pub fn new(about: About, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            about,
            reason,
            message: message.into(),
        }
    }
}

impl About {
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// Whether the service is not available without this part.
    const fn is_vital(self) -> bool {
        matches!(
            self,
            Self::AppReady | Self::PostgresReady | Self::MigrationReady | Self::ExposureReady
        )
    }
}

impl Reason {
    pub fn name(self) -> String {
        match self {
            Self::CrdNotInstalled => "CRDNotInstalled".to_owned(),
            other => format!("{other:?}"),
        }
    }

    pub const fn class(self) -> Class {
        match self {
            Self::Available
            | Self::Complete
            | Self::Connected
            | Self::Flowing
            | Self::Installed
            | Self::Spread
            | Self::WithinLimit => Class::Good,
            Self::RollingOut
            | Self::Starting
            | Self::WaitingForMigration
            | Self::WaitingForDatabase
            | Self::Migrating
            | Self::HandingOver
            | Self::HandingBack
            | Self::WaitingForMetrics
            | Self::NotAccepted
            | Self::Queued => Class::Waiting,
            Self::CrdNotInstalled
            | Self::ReplicaFailure
            | Self::ImagePullFailed
            | Self::Unschedulable
            | Self::Crashing
            | Self::ScaledObjectBlocked
            | Self::NotScaling
            | Self::PrometheusUnreachable
            | Self::NoSeries
            | Self::SeriesDoubled
            | Self::WriteRefused
            | Self::DriftContested
            | Self::MigrationOverdue => Class::Fault,
            Self::MigrationFailed
            | Self::CredentialsMissing
            | Self::SecretMissing
            | Self::DatabaseInUse
            | Self::HostInUse
            | Self::NameInUse
            | Self::LimitExceeded
            | Self::MajorMismatch => Class::Stalled,
            Self::LimitUnknown | Self::NotReadable => Class::Unknown,
            Self::Paused | Self::SingleReplica | Self::SingleNode | Self::SingleDatabase => {
                Class::Notice
            }
        }
    }

    const fn status(self) -> &'static str {
        match self.class() {
            Class::Good => "True",
            Class::Unknown => "Unknown",
            Class::Waiting | Class::Fault | Class::Stalled | Class::Notice => "False",
        }
    }
}

/// All conditions for what was found. A part that was not found has none. Times of transition stay while a status does.
pub fn conditions(
    findings: &[Finding],
    generation: Option<i64>,
    previous: &[Condition],
    now: Timestamp,
) -> Vec<Condition> {
    let mut all = summary(findings);
    for finding in findings {
        let (reason, status) = (finding.reason.name(), finding.reason.status());
        all.push((finding.about, status, reason, finding.message.clone()));
    }
    all.sort_by_key(|(about, ..)| *about);
    // Of two findings about one part, the first counts.
    all.dedup_by_key(|(about, ..)| *about);
    all.into_iter()
        .map(|(about, status, reason, message)| {
            let type_ = about.name();
            let unchanged = previous
                .iter()
                .find(|condition| condition.type_ == type_ && condition.status == status);
            Condition {
                last_transition_time: unchanged.map_or(Time(now), |condition| {
                    condition.last_transition_time.clone()
                }),
                type_,
                status: status.to_owned(),
                reason,
                message: shortened(message),
                observed_generation: generation,
            }
        })
        .collect()
}

/// The whole: ready if each vital part is, progressing while one waits, degraded while one is at fault.
fn summary(findings: &[Finding]) -> Vec<(About, &'static str, String, String)> {
    let of = |class: Class| {
        findings
            .iter()
            .find(|finding| finding.reason.class() == class)
    };
    let (waiting, fault, stalled) = (of(Class::Waiting), of(Class::Fault), of(Class::Stalled));
    // A rollout that is stuck is under way nevertheless: the version that was asked for does not run.
    let stuck = findings.iter().find(|finding| {
        finding.about == About::RolledOut && finding.reason.class() == Class::Fault
    });
    let waiting = waiting.or(stuck);
    let paused = findings
        .iter()
        .find(|finding| finding.reason == Reason::Paused);
    let lacking = findings
        .iter()
        .filter(|finding| finding.about.is_vital() && finding.reason.status() != "True")
        .min_by_key(|finding| match finding.reason.class() {
            Class::Stalled => 0,
            Class::Fault => 1,
            // A part that waits for another says less than the other.
            _ if finding.reason == Reason::WaitingForMigration => 4,
            _ if finding.reason == Reason::WaitingForDatabase => 3,
            _ => 2,
        });
    let is = |about, finding: Option<&Finding>, otherwise: (&str, &str)| match finding {
        Some(finding) => (
            about,
            "True",
            finding.reason.name(),
            finding.message.clone(),
        ),
        None => (
            about,
            "False",
            otherwise.0.to_owned(),
            otherwise.1.to_owned(),
        ),
    };
    let ready = if let Some(finding) = lacking.or(paused) {
        let text = format!("{}: {}", finding.about.name(), finding.message);
        (About::Ready, "False", finding.reason.name(), text)
    } else {
        let text = "the service is available".to_owned();
        (About::Ready, "True", Reason::Available.name(), text)
    };
    let settled = ("Settled", "nothing is under way");
    vec![
        ready,
        is(About::Progressing, waiting, settled),
        is(About::Reconciling, waiting, settled),
        is(
            About::Degraded,
            stalled.or(fault),
            ("AsExpected", "nothing is wrong"),
        ),
        is(About::Stalled, stalled, ("NotStalled", "nobody has to act")),
    ]
}

/// What the API server takes of a message.
fn shortened(mut message: String) -> String {
    const MOST: usize = 1024;
    if message.len() > MOST {
        let end = (0..=MOST).rev().find(|end| message.is_char_boundary(*end));
        message.truncate(end.unwrap_or(0));
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(findings: &[Finding], about: About) -> (String, String) {
        let all = conditions(findings, Some(3), &[], Timestamp::UNIX_EPOCH);
        let found = all
            .iter()
            .find(|condition| condition.type_ == about.name())
            .unwrap();
        (found.status.clone(), found.reason.clone())
    }

    fn pair(status: &str, reason: &str) -> (String, String) {
        (status.to_owned(), reason.to_owned())
    }

    /// The variants of an enum of this file.
    fn variants(name: &str) -> Vec<String> {
        let (_, rest) = include_str!("conditions.rs")
            .split_once(&format!("pub enum {name} {{"))
            .unwrap();
        let (body, _) = rest.split_once("\n}").unwrap();
        let lines = body.lines().map(str::trim);
        let names = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
        names
            .map(|line| match line.trim_end_matches(',') {
                "CrdNotInstalled" => Reason::CrdNotInstalled.name(),
                name => name.to_owned(),
            })
            .collect()
    }

    #[test]
    fn the_page_of_conditions_has_each_of_them_and_each_reason() {
        let page = include_str!("../../docs/conditions.md");
        for about in variants("About") {
            assert!(page.contains(&format!("### `{about}`\n")), "{about}");
        }
        let reasons = variants("Reason");
        assert!(reasons.len() > 40, "{reasons:?}");
        for reason in reasons {
            assert!(page.contains(&format!("`{reason}`")), "{reason}");
        }
    }

    #[test]
    fn a_service_whose_parts_are_well_is_ready_and_not_degraded() {
        let findings = [Finding::new(About::AppReady, Reason::Available, "2 of 2")];
        assert_eq!(check(&findings, About::Ready), pair("True", "Available"));
        assert_eq!(
            check(&findings, About::Degraded),
            pair("False", "AsExpected")
        );
        assert_eq!(
            check(&findings, About::Stalled),
            pair("False", "NotStalled")
        );
    }

    #[test]
    fn a_lost_cache_degrades_and_leaves_the_service_ready() {
        let findings = [
            Finding::new(About::AppReady, Reason::Available, ""),
            Finding::new(About::RedisReady, Reason::Crashing, "restarts"),
        ];
        assert_eq!(check(&findings, About::Ready), pair("True", "Available"));
        assert_eq!(check(&findings, About::Degraded), pair("True", "Crashing"));
    }

    #[test]
    fn what_needs_somebody_goes_before_what_waits() {
        let findings = [
            Finding::new(About::AppReady, Reason::WaitingForMigration, ""),
            Finding::new(
                About::MigrationReady,
                Reason::MigrationFailed,
                "see the log",
            ),
        ];
        assert_eq!(
            check(&findings, About::Ready),
            pair("False", "MigrationFailed")
        );
        assert_eq!(
            check(&findings, About::Progressing),
            pair("True", "WaitingForMigration")
        );
        assert_eq!(
            check(&findings, About::Stalled),
            pair("True", "MigrationFailed")
        );
    }

    #[test]
    fn a_transition_is_timed_by_its_status_alone() {
        let later = Timestamp::from_second(60).unwrap();
        let first = [Finding::new(About::AppReady, Reason::RollingOut, "1 of 2")];
        let second = [Finding::new(About::AppReady, Reason::Crashing, "restarts")];
        let before = conditions(&first, Some(1), &[], Timestamp::UNIX_EPOCH);
        let after = conditions(&second, Some(1), &before, later);
        let app = after
            .iter()
            .find(|condition| condition.type_ == "AppReady")
            .unwrap();
        assert_eq!(app.last_transition_time.0, Timestamp::UNIX_EPOCH);
        let degraded = after
            .iter()
            .find(|condition| condition.type_ == "Degraded")
            .unwrap();
        assert_eq!(degraded.last_transition_time.0, later);
    }
}
