//! Rules on memory: none is lost from scan to scan, and rows can be let go at any time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::call::{self, NEEDS_API};
use super::ran::Acts;
use super::schema::SOME;
use super::{Rule, Seen, Subject, Sum, Unkept};
use crate::export::loopback::Releases;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "memory/releases",
        text: "rows can be released on another thread after `disconnect`, and mark themselves so",
        look: releases,
    },
    Rule {
        id: "memory/flat",
        text: "scans leave no memory behind: 1,000 of them, or as many as can be in 8 s",
        look: flat,
    },
];

/// Scans between two looks at the memory, and before the first; fewer where they take longer.
const N_SCANS: usize = 1000;
const N_WARM_UP: usize = 200;

/// How long the scans between two looks may take.
const ROUND: Duration = Duration::from_secs(8);

/// How much more memory may be in use after these; in kilobytes, hence about bytes per scan.
const MOST_GROWTH_KB: u64 = 1000;

/// Looks in a row that must see growth, because other threads need memory, too.
const N_ROUNDS: usize = 4;

fn releases(subject: &Subject) -> Seen {
    let opened = call::open(subject)?;
    let answers = subject.answers(SOME);
    let releases = Arc::new(Releases::default());
    let mut batches = Vec::new();
    let mut is_asked = false;
    for table in opened.tables() {
        let request = opened.whole(table);
        for slice in &opened.plan(&request)?.slices {
            let acts = Acts::answering(|_, sent| answers(sent));
            let acts = Acts { releases: Some(Arc::clone(&releases)), ..acts };
            let ran = opened.scan(&request, slice, acts);
            is_asked |= !ran.requests.is_empty();
            batches.extend(ran.batches);
        }
    }
    if batches.is_empty() {
        let needs =
            if is_asked && !subject.has_api() { NEEDS_API } else { "a scan that emits rows" };
        return Err(Unkept::needs(needs));
    }
    drop(opened);
    // Where the batches end.
    let elsewhere = std::thread::spawn(move || drop(batches)).join();
    let mut sum = Sum::default();
    if elsewhere.is_err() {
        sum.see("releasing rows panicked");
    }
    let n = |count: &std::sync::atomic::AtomicUsize| count.load(Ordering::Relaxed);
    let (n_dead, n_unmarked) = (n(&releases.n_dead), n(&releases.n_unmarked));
    if n_dead > 0 {
        sum.see(format!("{n_dead} batches came without a release callback"));
    }
    if n_unmarked > 0 {
        let n_released = n(&releases.n_released);
        sum.see(format!("{n_unmarked} of {n_released} batches did not mark themselves released"));
    }
    sum.end()
}

/// Returns how much memory this process has, in kilobytes.
fn memory_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn flat(subject: &Subject) -> Seen {
    if memory_kb().is_none() {
        return Err(Unkept::needs("a system that tells a process how much memory it has (Linux)"));
    }
    let opened = call::open(subject)?;
    let answers = subject.answers(SOME);
    let mut sum = Sum::default();
    for table in opened.tables() {
        let request = opened.whole(table);
        // Whatever a scan ends with, it may leave nothing behind.
        let scans = |n_scans: usize| -> Result<usize, Unkept> {
            let began = Instant::now();
            for n_done in 0..n_scans {
                if began.elapsed() > ROUND {
                    return Ok(n_done);
                }
                for slice in &opened.plan(&request)?.slices {
                    opened.scan(&request, slice, Acts::answering(|_, sent| answers(sent)));
                }
            }
            Ok(n_scans)
        };
        scans(N_WARM_UP)?;
        let (mut growth, mut n_scans) = (Vec::new(), 0);
        for _ in 0..N_ROUNDS {
            let before = memory_kb().unwrap_or_default();
            n_scans = scans(N_SCANS)?;
            growth.push(memory_kb().unwrap_or_default().saturating_sub(before));
            if growth.last().is_some_and(|grown| *grown <= MOST_GROWTH_KB) {
                break;
            }
        }
        if growth.iter().all(|grown| *grown > MOST_GROWTH_KB) {
            let (table, grown) = (&table.name, growth.iter().min().copied().unwrap_or_default());
            sum.see(format!(
                "{n_scans} scans of table `{table}` leave {grown} kB behind, each time"
            ));
        }
    }
    sum.end()
}
