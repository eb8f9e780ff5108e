//! Asks in every form in which a condition and a window can be asked, and holds the answers against
//! the rows of the model.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use sessionql_core::completeness::Off;

use super::{Condition, Row, Window};
use crate::Answer;

/// What an answer owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owes {
    /// The rows of the model.
    Rows,
    /// The rows of the model, or a word that they are not: an error, or a gap that tells which way
    /// they are off.
    RowsOrAWord,
}

/// How the rows of an answer relate to those of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// They are the same.
    All,
    /// Some may be missing.
    Some,
    /// Nothing is promised.
    Nothing,
}

/// A table, what it holds, and what is asked of it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its name.
    pub table: &'a str,
    /// Its rows.
    pub rows: &'a [Row],
    /// The window.
    pub window: &'a Window,
    /// The condition.
    pub condition: &'a Condition,
}

impl<'a> Asked<'a> {
    fn from(&self) -> String {
        format!("{}{} WHERE {}", self.table, self.window.sql(), self.condition.sql())
    }

    fn passing(&self) -> Vec<&'a Row> {
        let passes = |row: &&Row| self.window.holds(row) && self.condition.truth(row) == Some(true);
        self.rows.iter().filter(passes).collect()
    }
}

/// Runs queries and holds their answers.
struct Asker<'a> {
    run: &'a dyn Fn(&str) -> Answer,
    owes: Owes,
}

impl Asker<'_> {
    /// Returns the rows of an answer and what they promise.
    fn ask(&self, sql: &str) -> (Vec<Vec<String>>, Held) {
        let answer = (self.run)(sql);
        let held = match (&answer.error, answer.completeness.off) {
            (None, None) => Held::All,
            (None, Some(Off::Missing)) => Held::Some,
            _ => Held::Nothing,
        };
        let is_kept = held == Held::All || self.owes == Owes::RowsOrAWord;
        assert!(is_kept, "{sql}: {:?} {:?}", answer.error, answer.completeness);
        (answer.rows, held)
    }

    /// Asks, and holds the answer against the rows of the model, in any order.
    fn hold(&self, sql: &str, expected: Vec<Vec<String>>) {
        let (rows, held) = self.ask(sql);
        let (rows, expected) = (sorted(rows), sorted(expected));
        match held {
            Held::All => assert_eq!(rows, expected, "{sql}"),
            Held::Some => assert_within(rows, expected, sql),
            Held::Nothing => {}
        }
    }

    /// Asks for some of the rows of the model: as many as it has, up to `n_wanted`.
    fn hold_some(&self, sql: &str, all: Vec<Vec<String>>, n_wanted: usize) {
        let (rows, held) = self.ask(sql);
        if held == Held::All {
            assert_eq!(rows.len(), all.len().min(n_wanted), "{sql}");
        }
        if held != Held::Nothing {
            assert_within(rows, all, sql);
        }
    }
}

fn assert_within(rows: Vec<Vec<String>>, mut all: Vec<Vec<String>>, sql: &str) {
    for row in rows {
        let found = all.iter().position(|other| *other == row);
        let found = found.unwrap_or_else(|| panic!("{sql}: {row:?} is not in {all:?}"));
        all.remove(found);
    }
}

/// Asks one table.
///
/// # Panics
/// If an answer is not what it owes.
pub fn check_alone(run: &dyn Fn(&str) -> Answer, asked: &Asked<'_>, owes: Owes) {
    let asker = Asker { run, owes };
    let (from, found) = (asked.from(), asked.passing());
    asker.hold(&format!("SELECT id FROM {from}"), ids(&found));
    asker.hold(&format!("SELECT count(*) FROM {from}"), vec![vec![found.len().to_string()]]);
    asker.hold(
        &format!("SELECT id, user, start, \"end\", status, client_ip, connection FROM {from}"),
        found.iter().map(|row| values(row)).collect(),
    );
    let mut users: Vec<_> = found.iter().map(|row| vec![null_or(row.user.as_ref())]).collect();
    users.sort();
    users.dedup();
    asker.hold(&format!("SELECT DISTINCT user FROM {from}"), users);
    asker.hold_some(&format!("SELECT id FROM {from} LIMIT 2"), ids(&found), 2);
    let last = sorted(ids(&found)).into_iter().rev().skip(1).take(2).collect();
    asker.hold(&format!("SELECT id FROM {from} ORDER BY id DESC LIMIT 2 OFFSET 1"), last);
}

/// Joins and unites two tables, or one with itself.
///
/// # Panics
/// If an answer is not what it owes.
pub fn check_pair(run: &dyn Fn(&str) -> Answer, one: &Asked<'_>, other: &Asked<'_>, owes: Owes) {
    let asker = Asker { run, owes };
    let (left, right) = (one.passing(), other.passing());
    let (from_one, from_other) = (one.from(), other.from());
    let same_user = |a: &Row, b: &Row| a.user.is_some() && a.user == b.user;

    let pairs = left.iter().flat_map(|a| {
        let partners = right.iter().filter(|b| same_user(a, b));
        partners.map(|b| vec![a.id.clone(), b.id.clone()])
    });
    asker.hold(
        &format!(
            "SELECT a.id, b.id FROM (SELECT * FROM {from_one}) a \
             JOIN (SELECT * FROM {from_other}) b ON a.user = b.user"
        ),
        pairs.collect(),
    );

    // Two clients of a provider may number their sessions alike.
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for a in &left {
        let n = right.iter().filter(|b| same_user(a, b)).count();
        *counts.entry((&*a.id, &*a.connection)).or_default() += n;
    }
    let counts = counts.into_iter().map(|((id, _), n)| vec![id.to_owned(), n.to_string()]);
    asker.hold(
        &format!(
            "SELECT a.id, count(b.id) FROM (SELECT * FROM {from_one}) a \
             LEFT JOIN (SELECT * FROM {from_other}) b ON a.user = b.user GROUP BY a.id, a.connection"
        ),
        counts.collect(),
    );

    for (word, wants) in [("", true), ("NOT ", false)] {
        let kept: Vec<&Row> = left
            .iter()
            .copied()
            .filter(|a| right.iter().any(|b| same_user(a, b)) == wants)
            .collect();
        asker.hold(
            &format!(
                "WITH b AS (SELECT * FROM {from_other}) SELECT id FROM (SELECT * FROM {from_one}) a \
                 WHERE {word}EXISTS (SELECT 1 FROM b WHERE b.user = a.user)"
            ),
            ids(&kept),
        );
    }
    let kept: Vec<&Row> =
        left.iter().copied().filter(|a| right.iter().any(|b| same_user(a, b))).collect();
    asker.hold(
        &format!(
            "SELECT id FROM (SELECT * FROM {from_one}) a \
             WHERE user IN (SELECT user FROM {from_other})"
        ),
        ids(&kept),
    );

    let both: Vec<&Row> = left.iter().chain(&right).copied().collect();
    asker.hold(
        &format!("SELECT id FROM {from_one} UNION ALL SELECT id FROM {from_other}"),
        ids(&both),
    );

    let mut both = ids(&left);
    both.retain(|id| right.iter().any(|b| b.id == id[0]));
    both.sort();
    both.dedup();
    asker.hold(
        &format!(
            "WITH b AS (SELECT id FROM {from_other}) SELECT id FROM {from_one} \
             INTERSECT SELECT id FROM b"
        ),
        both,
    );
}

/// Returns rows in order.
pub fn sorted(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    rows.sort();
    rows
}

/// Returns the rows of an answer that must be whole.
///
/// # Panics
/// If it is not.
pub fn complete(answer: Answer, sql: &str) -> Vec<Vec<String>> {
    assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
    assert!(answer.completeness.is_complete(), "{sql}: {:?}", answer.completeness);
    answer.rows
}

fn ids(rows: &[&Row]) -> Vec<Vec<String>> {
    rows.iter().map(|row| vec![row.id.clone()]).collect()
}

fn values(row: &Row) -> Vec<String> {
    let time = |at: Option<DateTime<Utc>>| {
        at.map_or_else(|| "NULL".to_owned(), |at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    };
    vec![
        row.id.clone(),
        null_or(row.user.as_ref()),
        time(row.start),
        time(row.end),
        null_or(row.status.as_ref()),
        null_or(row.client_ip.as_ref()),
        row.connection.clone(),
    ]
}

fn null_or(text: Option<&String>) -> String {
    text.cloned().unwrap_or_else(|| "NULL".to_owned())
}
