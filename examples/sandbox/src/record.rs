//! What was asked of an emulator, in order, for tests to assert on.
//! In: each request on arrival, its status when it is known. Out: copies of the whole list.
//! Written by `server.rs` alone; it never judges a request, `Api::kind` does that.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use crate::lock;
use crate::message::{Kind, Request};

/// A request and what became of it. Derefs to the request.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The request.
    pub request: Arc<Request>,
    /// The status that was sent; `None` if the connection was cut before one, or is still hanging.
    pub status: Option<u16>,
}

impl Deref for Recorded {
    type Target = Request;

    fn deref(&self) -> &Request {
        &self.request
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.fmt(f)
    }
}

/// The list of requests since the start or the last `clear`.
#[derive(Debug, Default)]
pub struct Recorder {
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    requests: Vec<Recorded>,
    /// How many of each kind were counted: data, tokens, violations.
    counts: [usize; 3],
    /// Grows with each `clear`, so that a late status never lands on a later request.
    epoch: usize,
}

/// Where the status of a recorded request belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    epoch: usize,
    position: usize,
}

impl Recorder {
    /// Counts one more request of a kind and returns its number, from 1.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        let mut list = lock(&self.list);
        let count = &mut list.counts[kind as usize];
        *count += 1;
        *count
    }

    /// Appends a request that has no status yet.
    pub(crate) fn push(&self, request: Arc<Request>) -> Ticket {
        let mut list = lock(&self.list);
        list.requests.push(Recorded { request, status: None });
        Ticket { epoch: list.epoch, position: list.requests.len() - 1 }
    }

    /// Notes the status that a request was answered with.
    pub(crate) fn set_status(&self, ticket: Ticket, status: u16) {
        let mut list = lock(&self.list);
        if list.epoch == ticket.epoch
            && let Some(recorded) = list.requests.get_mut(ticket.position)
        {
            recorded.status = Some(status);
        }
    }

    /// Returns all requests, in the order of their arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.list).requests.clone()
    }

    /// Returns the requests of one kind, in the order of their arrival.
    pub fn of_kind(&self, kind: Kind) -> Vec<Recorded> {
        let list = lock(&self.list);
        list.requests.iter().filter(|recorded| recorded.kind == kind).cloned().collect()
    }

    /// Forgets all requests; numbers start again at 1.
    pub(crate) fn clear(&self) {
        let mut list = lock(&self.list);
        *list = List { epoch: list.epoch + 1, ..List::default() };
    }
}
