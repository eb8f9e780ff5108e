//! Which connections of one `FROM sessions` failed. As long as one did not, the rows stand.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::error::Error;

/// The connections of one `FROM sessions`.
#[derive(Debug)]
pub(crate) struct Branches {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    n_asked: usize,
    failures: BTreeMap<String, Error>,
}

impl Branches {
    /// Returns the book of so many connections.
    pub(crate) fn new(n_asked: usize) -> Self {
        Self { state: Mutex::new(State { n_asked, failures: BTreeMap::new() }) }
    }

    /// Keeps the failure of a connection. If now all have failed, returns the failure of the
    /// statement.
    pub(crate) fn fail(&self, connection: &str, error: Error) -> Option<Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures.insert(connection.to_owned(), error);
        let have_all_failed = state.failures.len() >= state.n_asked;
        have_all_failed.then(|| Error::Sessions {
            failures: std::mem::take(&mut state.failures).into_iter().collect(),
        })
    }
}
