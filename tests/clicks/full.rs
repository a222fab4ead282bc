//! No room for the journal: redirects go on, and exactly the clicks that are counted as lost are lost.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use harness::{
    database::{Backend, Database},
    eventually,
    service::{Service, ServiceBuilder},
    soak,
};

use crate::{
    books::number_of_clicks,
    visitors::{Count, Visitors, some_urls},
};

/// A journal takes two segments of 16 MiB at least, and thousands of laden visits fill them.
const FULL: Duration = Duration::from_mins(3);

const SOON: Duration = Duration::from_mins(1);

const ENOUGH: f64 = 100.0;

const A_FEW: usize = 60;

const LOST: &str = "shortener_clicks_lost_total";

harness::on_each_database! {
    async fn a_journal_at_its_limit_loses_what_is_counted_and_nothing_else(database: Database) {
        for round in 0..soak::rounds(1, 4) {
            let is_killed = round % 2 == 1;
            let builder = || Service::builder(&database).arg("--journal-max-bytes=1");
            let lost_later = fill_and_drain(&database, builder, is_killed).await;
            // Segments are given up once a second.
            assert!(!is_killed || lost_later == 0, "a new journal has room of its own");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_what_is_counted_and_nothing_else() {
    let database = Database::fresh(Backend::Postgres15).await;
    let disk = SmallDisk::mount(&database.dir().join("small"), 20);
    // Without the right to mount, a limit has to do.
    let limit = disk.as_ref().map_or("1", |_| "1073741824");
    let builder = || {
        let data_dir = database.dir().join("small");
        Service::builder(&database)
            .env("SHORTENER_DATA_DIR", data_dir.to_str().unwrap())
            .env("SHORTENER_JOURNAL_MAX_BYTES", limit)
    };
    // Whether there is room again depends on the disk: what is drained stays for ten minutes, in case of a fail-over.
    fill_and_drain(&database, builder, true).await;
}

/// Fills the journal while nothing can be recorded, lets it drain, and does the sum. Returns how many clicks were lost after
/// that.
async fn fill_and_drain<'a>(
    database: &Database,
    builder: impl Fn() -> ServiceBuilder<'a>,
    is_killed: bool,
) -> usize {
    let mut service = builder().start().await;
    let urls = some_urls(&service).await;
    let before = number_of_clicks(database).await;
    let held = database.hold_recorders().await;
    let visitors = Visitors::come_with_luggage(&service, &urls);
    let full = async || service.metric(LOST).await.is_some_and(|lost| lost > ENOUGH);
    eventually::holds("clicks are lost", FULL, full).await;
    let Count { sent, answered } = visitors.leave().await;
    assert_eq!(answered, sent, "a full journal must not stop a redirect");
    let lost = count(&service, LOST).await;

    if is_killed {
        service.kill().await;
        held.release().await;
        service = builder().start().await;
    } else {
        held.release().await;
    }
    let kept = answered - lost;
    let recorded = async || number_of_clicks(database).await >= before + kept;
    eventually::holds("what was not lost is recorded", SOON, recorded).await;
    // Its own later clicks, to show that there is room again.
    let lost_before = count(&service, LOST).await;
    let visitors = Visitors::come(&service, &urls);
    visitors.are_answered(A_FEW).await;
    let later = visitors.leave().await.answered;
    assert_eq!(service.get("/events?per_page=1").await.status, 200);
    let lost_later = count(&service, LOST).await - lost_before;
    let clicks = number_of_clicks(database).await - before;
    assert_eq!(
        clicks,
        kept + later - lost_later,
        "{answered} answered, {lost} lost"
    );
    lost_later
}

async fn count(service: &Service, metric: &str) -> usize {
    let value = service.metric(metric).await.expect("it is measured");
    format!("{value}")
        .parse()
        .expect("a counter is a whole number")
}

/// A file system of its own, unmounted in the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` without the right to mount.
    fn mount(path: &Path, mib: u32) -> Option<Self> {
        std::fs::create_dir(path).unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(path);
        let output = mount.output().ok()?;
        output.status.success().then(|| Self(path.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
