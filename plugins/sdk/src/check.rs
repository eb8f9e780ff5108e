//! The conformance suite: what a plugin must do whatever it reads, as one list of rules.
//! In: a plugin's table, options, and maybe what plays its API. Out: for each rule whether it was
//! kept, and what was seen if not. A plugin's author calls [`check_provider`] in a test;
//! `sessionql plugin check` runs the same rules, each in a process of its own.
//!
//! ```no_run
//! # extern "C" fn sessionql_plugin_v1() -> *const sessionql_plugin_sdk::ffi::FFI_Plugin {
//! #     std::ptr::null()
//! # }
//! use serde_json::json;
//! use sessionql_plugin_sdk::check::{Data, Subject, check_provider};
//! use sessionql_plugin_sdk::message::HttpRequest;
//! use sessionql_plugin_sdk::testing::Reply;
//!
//! /// Answers as the API would if it held `data.n_records` records, `data.page_rows` on a page.
//! fn api(data: &Data, request: &HttpRequest) -> Reply {
//! #   let _ = (data, request);
//!     Reply::json(&json!({ "sessions": [] }))
//! }
//!
//! check_provider(Subject::new(sessionql_plugin_v1).options(json!({})).api(api));
//! ```

mod call;
mod candidates;
mod concurrency;
mod ends;
mod faults;
mod lifecycle;
mod manifest;
mod memory;
mod options;
mod paging;
mod plan;
mod pushdown;
mod ran;
mod schema;
mod subject;
mod truth;

use std::fmt;
use std::sync::mpsc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use subject::{CLOCK, Data, Subject};

/// How long one rule may take before it counts as broken.
const PATIENCE: Duration = Duration::from_secs(120);

/// Findings of one rule that are told.
const MOST_TOLD: usize = 5;

/// One thing that every plugin must do.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name, such as `paging/cursor-loop`.
    pub id: &'static str,
    /// What it asks, in one sentence.
    pub text: &'static str,
    look: fn(&Subject) -> Seen,
}

/// What a rule saw.
type Seen = Result<(), Unkept>;

/// Why a rule is not known to be kept.
#[derive(Debug)]
enum Unkept {
    /// It is broken; what was seen.
    Broken(Vec<String>),
    /// It could not be looked at; what that needs.
    Needs(String),
}

impl Unkept {
    fn broken(seen: impl Into<String>) -> Self {
        Self::Broken(vec![seen.into()])
    }

    fn needs(what: impl Into<String>) -> Self {
        Self::Needs(what.into())
    }
}

/// Gathers what several looks saw: broken if one was, not looked at if one could not be.
#[derive(Debug, Default)]
struct Sum {
    broken: Vec<String>,
    needs: Option<String>,
}

impl Sum {
    fn add(&mut self, seen: Seen) {
        match seen {
            Ok(()) => {}
            Err(Unkept::Broken(more)) => self.broken.extend(more),
            Err(Unkept::Needs(what)) => {
                self.needs.get_or_insert(what);
            }
        }
    }

    fn see(&mut self, what: impl Into<String>) {
        self.broken.push(what.into());
    }

    fn end(self) -> Seen {
        match self.needs {
            _ if !self.broken.is_empty() => Err(Unkept::Broken(self.broken)),
            Some(what) => Err(Unkept::Needs(what)),
            None => Ok(()),
        }
    }
}

/// All rules, in the order in which they are looked at: each relies on those before it, and is
/// passed over where one of these is broken.
pub const RULES: &[&[Rule]] = &[
    lifecycle::RULES,
    manifest::RULES,
    options::RULES,
    plan::RULES,
    schema::RULES,
    pushdown::RULES,
    paging::RULES,
    faults::RULES,
    ends::RULES,
    concurrency::RULES,
    memory::RULES,
];

/// Returns all rules in order.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    RULES.iter().flat_map(|group| group.iter())
}

/// Returns a rule by its name.
pub fn rule(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id == id)
}

/// Whether a rule is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It was looked at and is kept.
    Passed,
    /// It is broken.
    Failed,
    /// It could not be looked at.
    Skipped,
}

/// What became of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// The rule's name.
    pub rule: String,
    /// Whether it is kept.
    pub standing: Standing,
    /// What was seen if it is broken, what looking needs if it was skipped.
    pub seen: Vec<String>,
}

impl Checked {
    fn new(rule: &Rule, seen: Seen) -> Self {
        let (standing, seen) = match seen {
            Ok(()) => (Standing::Passed, Vec::new()),
            Err(Unkept::Broken(seen)) => (Standing::Failed, told(seen)),
            Err(Unkept::Needs(what)) => (Standing::Skipped, vec![what]),
        };
        Self { rule: rule.id.to_owned(), standing, seen }
    }

    /// Returns what became of a rule that crashed or hung.
    pub fn broken(rule: &Rule, seen: impl Into<String>) -> Self {
        Self::new(rule, Err(Unkept::broken(seen)))
    }

    /// Returns what became of a rule that was passed over.
    pub fn skipped(rule: &Rule, needs: impl Into<String>) -> Self {
        Self::new(rule, Err(Unkept::needs(needs)))
    }
}

/// Writes `error: RULE: what was seen`, a line for each thing seen; for a rule that was not looked
/// at `skipped: RULE: needs …`.
impl fmt::Display for Checked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, standing, seen } = self;
        match standing {
            Standing::Passed => write!(formatter, "passed: {rule}"),
            Standing::Skipped => write!(formatter, "skipped: {rule}: needs {}", seen.join("; ")),
            Standing::Failed => {
                let lines: Vec<_> =
                    seen.iter().map(|seen| format!("error: {rule}: {seen}")).collect();
                formatter.write_str(&lines.join("\n"))
            }
        }
    }
}

/// Returns the first of several findings, and how many more there are.
fn told(mut seen: Vec<String>) -> Vec<String> {
    let n_more = seen.len().saturating_sub(MOST_TOLD);
    if n_more > 0 {
        seen.truncate(MOST_TOLD);
        seen.push(format!("and {n_more} more of this kind"));
    }
    seen
}

impl Rule {
    /// Looks whether a plugin keeps the rule. What crashes it crashes the caller.
    pub fn check(&self, subject: &Subject) -> Checked {
        Checked::new(self, (self.look)(subject))
    }

    /// Does the same on a thread of its own, which is left behind if it hangs.
    fn check_aside(&'static self, subject: &Subject) -> Option<Checked> {
        let (sender, receiver) = mpsc::channel();
        let subject = subject.clone();
        std::thread::spawn(move || {
            // Whoever waited may have gone.
            let _sent = sender.send(self.check(&subject));
        });
        match receiver.recv_timeout(PATIENCE) {
            Ok(checked) => Some(checked),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Some(Checked::broken(self, "the check itself failed; its panic is printed above"))
            }
            Err(mpsc::RecvTimeoutError::Timeout) => None,
        }
    }
}

/// Looks at all rules. A rule that hangs ends it: those after it are skipped.
pub fn check_all(subject: &Subject) -> Vec<Checked> {
    let mut hung = None;
    let look = |rule: &'static Rule| {
        if let Some(hung) = hung {
            return Checked::skipped(rule, format!("a plugin that does not hang (see `{hung}`)"));
        }
        rule.check_aside(subject).unwrap_or_else(|| {
            hung = Some(rule.id);
            Checked::broken(rule, format!("it did not end within {} s", PATIENCE.as_secs()))
        })
    };
    rules().map(look).collect()
}

/// Looks at all rules, in a plugin's own test. Returns what became of each, so that a test can
/// hold which were skipped.
///
/// # Panics
/// If a rule is broken; the message names each, what it asks, and what was seen.
#[track_caller]
pub fn check_provider(subject: Subject) -> Vec<Checked> {
    let checked = check_all(&subject);
    let failed: Vec<String> = checked
        .iter()
        .filter(|checked| checked.standing == Standing::Failed)
        .map(|checked| {
            let text = rule(&checked.rule).map(|rule| rule.text).unwrap_or_default();
            format!("{checked}\nrule: {text}")
        })
        .collect();
    assert!(failed.is_empty(), "\n{}\n{}", failed.join("\n\n"), counts(&checked));
    checked
}

/// Returns how many rules stand how: `28 passed, 1 failed, 4 skipped`.
pub fn counts(checked: &[Checked]) -> String {
    let n = |standing| checked.iter().filter(|checked| checked.standing == standing).count();
    let (passed, failed) = (n(Standing::Passed), n(Standing::Failed));
    format!("{passed} passed, {failed} failed, {} skipped", n(Standing::Skipped))
}
