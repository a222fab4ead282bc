//! The journal of a dead process is recorded by exactly one of those who can see it, or missed aloud by all others.

use std::{path::PathBuf, time::Duration};

use harness::{
    database::Database,
    eventually,
    service::{Service, ServiceBuilder},
    soak,
};

use crate::{
    books::{listed_clicks, number_of_clicks},
    journals::data_dir,
    visitors::{Visitors, some_urls},
};

const A_FEW: usize = 100;

/// Folders are looked at twice a second, abandoned journals counted every ten.
const SOON: Duration = Duration::from_secs(30);

const ADOPTED: &str = "shortener_journals_adopted_total";
const ABANDONED: &str = "shortener_journals_abandoned";

harness::on_each_postgres! {
    async fn one_of_two_who_share_a_folder_adopts_the_journal_of_a_third(database: Database) {
        let [one, other] = [start_in_shared(&database).await, start_in_shared(&database).await];
        let urls = some_urls(&one).await;
        let mut recorded = 0;
        for round in 1..=soak::rounds(2, 20) {
            let third = start_in_shared(&database).await;
            let held = database.hold_recorders().await;
            let visitors = Visitors::come(&third, &urls);
            visitors.are_answered(A_FEW).await;
            third.kill().await;
            let count = visitors.leave().await;
            held.release().await;

            let closed = "select count(*) from journal where closed_at is not null";
            let adopted = async || database.integer(closed).await == i64::try_from(round).unwrap();
            eventually::holds("the journal is adopted", SOON, adopted).await;
            let clicks = number_of_clicks(&database).await - recorded;
            assert!(count.answered <= clicks && clicks <= count.sent, "{clicks} of {count:?}");
            recorded += clicks;
            // A second adopter would be busy with it by now, and would have nothing to record.
            assert_eq!(listed_clicks(&one).await.len(), recorded);
            let sum = async || {
                one.metric(ADOPTED).await.unwrap() + other.metric(ADOPTED).await.unwrap()
            };
            let counted = async || format!("{}", sum().await) == round.to_string();
            eventually::holds("it is counted as adopted once", SOON, counted).await;
        }
        assert_eq!(one.metric(ABANDONED).await, Some(0.0));
    }

    async fn a_journal_that_nobody_can_see_is_missed_until_somebody_can(database: Database) {
        let lost = builder_in(&database, "lost").start().await;
        let urls = some_urls(&lost).await;
        let held = database.hold_recorders().await;
        let visitors = Visitors::come(&lost, &urls);
        visitors.are_answered(A_FEW).await;
        lost.kill().await;
        let count = visitors.leave().await;
        held.release().await;

        let elsewhere = || builder_in(&database, "elsewhere");
        let waiting = elsewhere().start().await;
        assert_eq!(waiting.metric(ABANDONED).await, Some(0.0), "its process may come back");
        if !soak::is_long() {
            // The grace of half a minute passes at once.
            let past = "update replica set lease_until = lease_until - interval '30 seconds'
                where lease_until < now()";
            let lapsed = async || {
                database.execute(past).await;
                waiting.metric(ABANDONED).await == Some(1.0)
            };
            eventually::holds("it is missed", SOON, lapsed).await;
        }
        let missed = async || waiting.metric(ABANDONED).await == Some(1.0);
        eventually::holds("it is missed", 2 * SOON, missed).await;
        assert_eq!(waiting.metric(ADOPTED).await, Some(0.0));

        let _heir = builder_in(&database, "lost").start().await;
        let recorded = async || number_of_clicks(&database).await >= count.answered;
        eventually::holds("its heir records it", SOON, recorded).await;
        assert!(number_of_clicks(&database).await <= count.sent);
        let found = async || waiting.metric(ABANDONED).await == Some(0.0);
        eventually::holds("it is missed no more", SOON, found).await;
    }
}

harness::on_each_database! {
    async fn what_is_no_journal_does_no_harm_among_journals(database: Database) {
        let service = Service::start(&database).await;
        let urls = some_urls(&service).await;
        let held = database.hold_recorders().await;
        let visitors = Visitors::come(&service, &urls);
        visitors.are_answered(A_FEW).await;
        service.kill().await;
        let count = visitors.leave().await;
        held.release().await;
        strew_garbage(data_dir(&database).join("journal"));

        let service = Service::start(&database).await;
        let recorded = async || number_of_clicks(&database).await >= count.answered;
        eventually::holds("the journal among the garbage is recorded", SOON, recorded).await;
        assert_eq!(listed_clicks(&service).await.len(), number_of_clicks(&database).await);
        assert!(number_of_clicks(&database).await <= count.sent);
        let exit = service.terminate().await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
    }
}

fn strew_garbage(journals: PathBuf) {
    let write = |name: &str, bytes: &[u8]| {
        let path = journals.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    write("notes.txt", b"mine");
    write("lost+found/00000001.seg", &[7; 100]);
    write("00000001.seg", &[0; 64]);
    // With the names of journals.
    write("0123456789abcdef0123456789abcdef", b"a file, not a folder");
    write(
        "11111111111111111111111111111111/00000001.seg",
        &[0xff; 1000],
    );
    write("22222222222222222222222222222222/lock", b"");
    write("33333333333333333333333333333333/lock/a-folder", b"");
    write("44444444444444444444444444444444/closed", b"");
}

async fn start_in_shared(database: &Database) -> Service {
    builder_in(database, "shared").start().await
}

fn builder_in<'a>(database: &'a Database, folder: &str) -> ServiceBuilder<'a> {
    let folder = database.dir().join(folder);
    let folder = folder.to_str().expect("temporary folders have plain names");
    Service::builder(database).env("SHORTENER_DATA_DIR", folder)
}
