//! What collects lives for the functions: rows in, an answer out.
//! [`Lives`] is for rows that only come: those of a group, or of a frame that grows. [`FrameLives`] is
//! for a frame that leaves rows behind.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::mem::size_of_val;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, ListArray, PrimitiveArray, TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Field, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::Accumulator;

use super::tally::Tally;
use super::{Life, OPEN, Question, merged};
use crate::columns::timestamp_type;

/// Calls `each` with every life of the rows.
fn for_each_life(columns: &[ArrayRef], mut each: impl FnMut(Life)) {
    let starts: &TimestampMicrosecondArray = columns[0].as_primitive();
    let ends: &TimestampMicrosecondArray = columns[1].as_primitive();
    for (start, end) in starts.iter().zip(ends) {
        let (Some(start), end) = (start, end.unwrap_or(OPEN)) else { continue };
        if start <= end {
            each((start, end));
        }
    }
}

/// Collects lives.
#[derive(Debug)]
pub(super) struct Lives {
    question: Question,
    is_distinct: bool,
    lives: Vec<Life>,
    /// How many there were after they were merged last.
    n_merged: usize,
    /// Whether there was an answer already, so that rows of a frame come one by one.
    has_answered: bool,
    /// The lives, as soon as a second answer about how many there are at once is wanted.
    tally: Option<Tally>,
}

impl Lives {
    /// Returns nobody's lives.
    pub(super) fn new(question: Question, is_distinct: bool) -> Self {
        Self {
            question,
            is_distinct,
            lives: Vec::new(),
            n_merged: 0,
            has_answered: false,
            tally: None,
        }
    }

    fn add(&mut self, columns: &[ArrayRef]) {
        if let Some(tally) = &mut self.tally {
            for_each_life(columns, |life| tally.add(life));
            return;
        }
        for_each_life(columns, |life| self.lives.push(life));
        // Merging when there are twice as many costs no more than sorting once.
        if self.lives.len() >= 2 * self.n_merged.max(1_024) {
            self.shrink();
        }
    }

    /// Forgets what does not change the answer.
    fn shrink(&mut self) {
        self.lives.sort_unstable_by_key(|(start, end)| (*start, Reverse(*end)));
        if self.question != Question::MaxConcurrent {
            self.lives = merged(&self.lives);
        } else if self.is_distinct {
            self.lives.dedup();
        }
        self.n_merged = self.lives.len();
    }
}

impl Accumulator for Lives {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(values);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if let Some(tally) = &self.tally {
            return Ok(ScalarValue::Int64(Some(tally.most())));
        }
        let is_of_frame = std::mem::replace(&mut self.has_answered, true);
        if is_of_frame && self.question == Question::MaxConcurrent && !self.is_distinct {
            let mut tally = Tally::default();
            std::mem::take(&mut self.lives).into_iter().for_each(|life| tally.add(life));
            let most = tally.most();
            self.tally = Some(tally);
            return Ok(ScalarValue::Int64(Some(most)));
        }
        self.shrink();
        self.question.answer(&self.lives)
    }

    fn size(&self) -> usize {
        let of_tally = self.tally.as_ref().map_or(0, Tally::size_bytes);
        size_of_val(self) + self.lives.capacity() * size_of::<Life>() + of_tally
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        if self.tally.is_some() {
            return exec_err!("a frame's lives are not handed on");
        }
        self.shrink();
        let list = |instants: Vec<i64>| {
            let instants: TimestampMicrosecondArray = PrimitiveArray::from(instants);
            let item = Arc::new(Field::new_list_field(timestamp_type(), true));
            let offsets = OffsetBuffer::from_lengths([instants.len()]);
            let items = Arc::new(instants.with_timezone("UTC"));
            ScalarValue::List(Arc::new(ListArray::new(item, offsets, items, None)))
        };
        let starts = self.lives.iter().map(|(start, _)| *start).collect();
        let ends = self.lives.iter().map(|(_, end)| *end).collect();
        Ok(vec![list(starts), list(ends)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (starts, ends) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        for row in 0..starts.len() {
            if starts.is_valid(row) && ends.is_valid(row) {
                let of_row = |list: &ListArray| {
                    let instants = list.value(row);
                    Arc::new(instants.as_primitive::<TimestampMicrosecondType>().clone())
                };
                self.add(&[of_row(starts), of_row(ends)]);
            }
        }
        Ok(())
    }
}

/// The lives of a frame that leaves rows behind.
#[derive(Debug)]
pub(super) enum FrameLives {
    /// How many there are at once is kept up to date.
    Tallied(Tally),
    /// Other answers are found anew for each frame, from its lives in order and how often each comes.
    Counted {
        /// What is asked.
        question: Question,
        /// The lives, of equal starts the longer first.
        lives: BTreeMap<(i64, Reverse<i64>), usize>,
    },
}

impl FrameLives {
    /// Returns nobody's lives.
    pub(super) fn new(question: Question, is_distinct: bool) -> Self {
        if question == Question::MaxConcurrent && !is_distinct {
            return Self::Tallied(Tally::default());
        }
        Self::Counted { question, lives: BTreeMap::new() }
    }
}

impl Accumulator for FrameLives {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for_each_life(values, |(start, end)| match self {
            Self::Tallied(tally) => tally.add((start, end)),
            Self::Counted { lives, .. } => *lives.entry((start, Reverse(end))).or_default() += 1,
        });
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for_each_life(values, |(start, end)| match self {
            Self::Tallied(tally) => tally.take((start, end)),
            Self::Counted { lives, .. } => {
                if let std::collections::btree_map::Entry::Occupied(mut entry) =
                    lives.entry((start, Reverse(end)))
                {
                    *entry.get_mut() -= 1;
                    if *entry.get() == 0 {
                        entry.remove();
                    }
                }
            }
        });
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self {
            Self::Tallied(tally) => Ok(ScalarValue::Int64(Some(tally.most()))),
            Self::Counted { question, lives } => {
                // Only `max_concurrent(DISTINCT …)` is here of those that count lives.
                let sorted: Vec<Life> =
                    lives.keys().map(|(start, Reverse(end))| (*start, *end)).collect();
                question.answer(&sorted)
            }
        }
    }

    fn size(&self) -> usize {
        size_of_val(self)
            + match self {
                Self::Tallied(tally) => tally.size_bytes(),
                Self::Counted { lives, .. } => lives.len() * 2 * size_of::<(Life, usize)>(),
            }
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        exec_err!("a frame's lives are not handed on")
    }

    fn merge_batch(&mut self, _states: &[ArrayRef]) -> Result<()> {
        exec_err!("a frame's lives are not handed on")
    }
}
