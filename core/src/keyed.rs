//! Rows of a side of a join, found by their keys and in the order of time.
//! In: a stream of batches. Each is shared out among parts by the hashes of its keys (`keys.rs`, `parts.rs`)
//! while the next one is read (`gathered.rs`). Then each part numbers its keys (`groups.rs`) and sorts the
//! rows of each (`side.rs`), several parts at a time (`threads.rs`).
//! Used by `interval_join/` and `asof/`.

mod gathered;
mod groups;
mod keys;
mod parts;
mod side;
mod threads;

pub(crate) use gathered::{Batch, Gathered, Gathering, Reading};
pub(crate) use groups::Groups;
pub(crate) use keys::{KeyReader, Keys, can_be_key};
pub(crate) use parts::part_of;
pub(crate) use side::{Extent, Side};
pub(crate) use threads::{joined, on_threads, share_out};

/// From when to when a row lasts.
pub(crate) type Interval = (i64, i64);

/// The interval of each row.
pub(crate) type Intervals = Vec<Interval>;

/// What meets nothing: it starts after all others have ended, and ends before any starts.
pub(crate) const NEVER: Interval = (i64::MAX, i64::MIN);
