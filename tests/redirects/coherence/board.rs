//! What each link must answer, as far as anybody has been told.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use harness::answer::Answer;

/// What visitors of a link are to get after an edit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Expected {
    LeadsTo(String),
    NotFound,
}

/// A link, and all that it was ever told to answer.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: i64,
    pub(super) path: String,
    history: Mutex<History>,
}

#[derive(Debug)]
struct History {
    /// By each edit that has begun, in order.
    told: Vec<Expected>,
    /// Which of them was answered last.
    answered: usize,
}

/// What came of everything.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) answers: usize,
    /// Visitors who were told to come back later, or cut off.
    pub(super) refusals: Vec<String>,
    /// Answers that contradict an answered edit.
    pub(super) lies: Vec<String>,
    /// How long each edit took, and how many had to be sent again.
    pub(super) edits: Vec<Duration>,
    pub(super) repeated: usize,
}

impl Link {
    pub(super) fn new(id: i64, path: String, target: &str) -> Self {
        let told = vec![Expected::LeadsTo(target.to_owned())];
        Self {
            id,
            path,
            history: Mutex::new(History { told, answered: 0 }),
        }
    }

    /// From now on a visitor may get what an edit says.
    pub(super) fn begin(&self, expected: Expected) {
        self.history().told.push(expected);
    }

    /// From now on every visitor has to.
    pub(super) fn finish(&self) {
        let mut history = self.history();
        history.answered = history.told.len() - 1;
    }

    /// The edit that a visitor who comes now must not be behind.
    pub(super) fn floor(&self) -> usize {
        self.history().answered
    }

    /// What is wrong with an answer to somebody who came at `floor`.
    pub(super) fn judge(&self, floor: usize, answer: &Answer) -> Result<(), String> {
        let got = match answer.status {
            302 => Expected::LeadsTo(answer.header("location").unwrap_or_default().to_owned()),
            404 => Expected::NotFound,
            _ => return Err(format!("{} was answered by {answer:?}", self.path)),
        };
        let history = self.history();
        let allowed = &history.told[floor..];
        if allowed.contains(&got) {
            Ok(())
        } else {
            let link = &self.path;
            Err(format!(
                "{link} answered {got:?}, and not one of {allowed:?}"
            ))
        }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// No answer contradicts an answered edit.
    #[track_caller]
    pub(super) fn assert_true(&self) {
        let (lies, answers) = (self.lies.len(), self.answers);
        let some = &self.lies[..lies.min(5)];
        assert!(lies == 0, "{lies} lies in {answers} answers: {some:#?}");
    }

    /// Nobody noticed anything.
    #[track_caller]
    pub(super) fn assert_unnoticed(&self) {
        self.assert_true();
        let refusals = self.refusals.len();
        let some = &self.refusals[..refusals.min(5)];
        assert!(refusals == 0, "{refusals} were refused: {some:#?}");
        assert_eq!(self.repeated, 0, "edits that were not answered at once");
    }

    pub(super) fn slowest_edit(&self) -> Duration {
        self.edits.iter().copied().max().unwrap_or_default()
    }

    pub(super) fn median_edit(&self) -> Duration {
        let mut edits = self.edits.clone();
        edits.sort();
        edits.get(edits.len() / 2).copied().unwrap_or_default()
    }
}

#[test]
fn an_answer_may_be_of_an_edit_under_way_and_of_none_before_the_last_that_was_answered() {
    let answer = |location: &str| Answer {
        status: 302,
        headers: [("location", location)]
            .into_iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect(),
        body: Vec::new().into(),
    };
    let check = |link: &Link, location| link.judge(link.floor(), &answer(location)).is_ok();
    let link = Link::new(1, "/launch".to_owned(), "first");
    assert!(check(&link, "first") && !check(&link, "second"));

    let (early, before) = (link.floor(), answer("first"));
    link.begin(Expected::LeadsTo("second".to_owned()));
    assert!(check(&link, "first") && check(&link, "second"));
    link.finish();
    assert!(!check(&link, "first") && check(&link, "second"));
    assert!(
        link.judge(early, &before).is_ok(),
        "who came before may be behind"
    );
}
