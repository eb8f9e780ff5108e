//! Rules on two scans at once, and how long a call may take.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use sessionql_plugin_abi::message::HttpRequest;

use super::call::Read;
use super::ran::Ran;
use super::schema::{SOME, each_table, sorted};
use super::subject::{Answers, Told};
use super::{Rule, Seen, Subject, Unkept, call};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "concurrency/two-scans",
    text: "two scans at once on one connection give the rows that each gives alone",
    look: two_scans,
}];

/// How long the host's word to end a call, or an answer that is none, may be worked on.
const SOON: Duration = Duration::from_secs(1);

/// How often a scan that is late is given another chance: the machine may be busy.
const CHANCES: usize = 3;

/// How long one scan waits for the other to have begun.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs a scan, and tells whether it was late each time.
pub(super) fn within_a_second(mut scan: impl FnMut() -> Ran) -> (Ran, bool) {
    let mut ran = scan();
    for _ in 1..CHANCES {
        if ran.elapsed < SOON {
            break;
        }
        ran = scan();
    }
    let is_late = ran.elapsed >= SOON;
    (ran, is_late)
}

/// Where two scans wait for each other, so that they are under way at the same time.
#[derive(Debug, Default)]
struct Meeting {
    n_there: Mutex<usize>,
    is_complete: Condvar,
}

impl Meeting {
    fn wait(&self) {
        let mut n_there = self.n_there.lock().unwrap_or_else(PoisonError::into_inner);
        *n_there += 1;
        self.is_complete.notify_all();
        let is_incomplete = |n_there: &mut usize| *n_there < 2;
        let _waited = self.is_complete.wait_timeout_while(n_there, PATIENCE, is_incomplete);
    }
}

fn two_scans(subject: &Subject) -> Seen {
    each_table(subject, |opened, table| {
        let request = opened.whole(table);
        let answers = subject.answers(SOME);
        // Twice, because what the first learns may change the second.
        opened.read_well(&request, &answers)?;
        let alone = opened.read_well(&request, &answers)?;
        let meeting = Arc::new(Meeting::default());
        let read = || -> Result<Read, Unkept> {
            let (answers, meeting) = (Arc::clone(&answers), Arc::clone(&meeting));
            let has_met = Mutex::new(false);
            let met: Answers = Arc::new(move |sent: &HttpRequest| -> Told {
                let mut has_met = has_met.lock().unwrap_or_else(PoisonError::into_inner);
                if !std::mem::replace(&mut *has_met, true) {
                    meeting.wait();
                }
                answers(sent)
            });
            opened.read(&request, &met)
        };
        let (one, other) = std::thread::scope(|scope| {
            let other = scope.spawn(read);
            (read(), other.join())
        });
        let other = other.unwrap_or_else(|_| Err(Unkept::broken("a scan beside another panicked")));
        for read in [one?, other?] {
            let table = &table.name;
            if let Some(errors) = &read.failure {
                let said = call::said(errors);
                return Err(Unkept::broken(format!(
                    "table `{table}`: beside another, a scan fails: {said}"
                )));
            }
            if sorted(&read.rows) != sorted(&alone.rows) {
                let (n_rows, n_alone) = (read.rows.len(), alone.rows.len());
                let seen = format!(
                    "table `{table}`: beside another, a scan gave {n_rows} rows, alone {n_alone}, and they differ"
                );
                return Err(Unkept::broken(seen));
            }
        }
        Ok(())
    })
}
