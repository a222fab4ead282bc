//! Whose a journal is: its owner's while he lives, then exactly one heir's, then nobody's.

use std::fs;
use std::sync::Barrier;
use std::thread;

use super::{Home, contents};
use crate::clicks::journal::{JournalDirectory, JournalId, Position, State};

fn state(journals: &JournalDirectory, id: JournalId) -> Option<State> {
    journals
        .journals()
        .unwrap()
        .into_iter()
        .find(|found| found.id == id)
        .map(|found| found.state)
}

#[test]
fn a_live_journal_cannot_be_adopted_and_a_dead_one_is_read_by_its_heir() {
    let home = Home::new();
    let journals = home.journals();
    let journal = home.journal(64);
    let id = journal.id();
    for n in 0..9u8 {
        journal.append(&[n]).unwrap();
    }
    assert_eq!(state(&journals, id), Some(State::Live));
    assert!(journals.adopt(id).unwrap().is_none());

    drop(journal);
    assert_eq!(state(&journals, id), Some(State::Dead));
    let dead = journals.adopt(id).unwrap().unwrap();
    assert_eq!(state(&journals, id), Some(State::Live), "its heir holds it");
    let mut reader = dead.reader(Position::START);
    assert_eq!(
        contents(&mut reader),
        (0..9u8).map(|n| vec![n]).collect::<Vec<_>>()
    );
    assert_eq!(reader.damaged(), 0);

    dead.remove().unwrap();
    assert_eq!(state(&journals, id), None);
    assert!(journals.adopt(id).unwrap().is_none());
}

#[test]
fn a_closed_journal_says_so_until_it_is_removed() {
    let home = Home::new();
    let journals = home.journals();
    let journal = home.journal(64);
    let id = journal.id();
    journal.close(journal.end()).unwrap();
    assert_eq!(state(&journals, id), Some(State::Live));
    drop(journal);
    assert!(matches!(state(&journals, id), Some(State::Closed { .. })));

    journals.adopt(id).unwrap().unwrap().remove().unwrap();
    assert!(journals.journals().unwrap().is_empty());
}

#[test]
fn of_many_heirs_one_reads_and_removes_the_journal_whatever_the_others_are_at() {
    let home = Home::new();
    for _ in 0..100 {
        let journal = home.journal(64);
        let id = journal.id();
        journal.append(b"click").unwrap();
        drop(journal);

        let begin = Barrier::new(4);
        let read: usize = thread::scope(|scope| {
            let heir = || {
                let journals = home.journals();
                begin.wait();
                let mut read = 0;
                // Some adopt, some come while the folder is being removed, some after.
                for _ in 0..5 {
                    if let Some(dead) = journals.adopt(id).unwrap() {
                        read += contents(&mut dead.reader(Position::START)).len();
                        dead.remove().unwrap();
                    }
                }
                read
            };
            let heirs: Vec<_> = (0..4).map(|_| scope.spawn(heir)).collect();
            heirs.into_iter().map(|heir| heir.join().unwrap()).sum()
        });
        assert_eq!(read, 1);
        assert!(home.journals().journals().unwrap().is_empty());
    }
}

#[test]
fn owners_start_unharmed_while_others_clear_what_looks_abandoned() {
    let home = Home::new();
    thread::scope(|scope| {
        let owner = scope.spawn(|| {
            let journals: Vec<_> = (0..200).map(|_| home.journal(64)).collect();
            for journal in &journals {
                journal.append(b"click").unwrap();
            }
            journals
        });
        while !owner.is_finished() {
            let journals = home.journals();
            for found in journals.journals().unwrap() {
                if let Some(dead) = journals.adopt(found.id).unwrap() {
                    assert!(contents(&mut dead.reader(Position::START)).is_empty());
                    dead.remove().unwrap();
                }
            }
        }
        for journal in owner.join().unwrap() {
            assert!(home.dir(&journal).join("00000001.seg").exists());
            assert_eq!(contents(&mut journal.reader(Position::START)), [b"click"]);
        }
    });
}

#[test]
fn a_folder_without_a_lock_is_adopted_if_it_holds_clicks_and_cleared_if_not() {
    let home = Home::new();
    let journals = home.journals();
    let journal = home.journal(64);
    let id = journal.id();
    journal.append(b"from a backup").unwrap();
    fs::remove_file(home.dir(&journal).join("lock")).unwrap();
    drop(journal);

    let dead = journals.adopt(id).unwrap().unwrap();
    assert_eq!(
        contents(&mut dead.reader(Position::START)),
        [b"from a backup"]
    );
    dead.remove().unwrap();

    let empty = home.temp.path().join("journal").join("0".repeat(32));
    fs::create_dir(&empty).unwrap();
    assert!(
        journals
            .adopt("0".repeat(32).parse().unwrap())
            .unwrap()
            .is_none()
    );
    assert!(!empty.exists());
}
