//! The answers against those of brute force, over instants so near each other that all cases of
//! touching, nesting and no length come up.

use proptest::prelude::*;

use super::*;

fn sorted(lives: &[Life]) -> Vec<Life> {
    let mut lives: Vec<Life> = lives.iter().copied().filter(|(start, end)| start <= end).collect();
    lives.sort_unstable_by_key(|(start, end)| (*start, std::cmp::Reverse(*end)));
    lives
}

/// Tells whether an instant belongs to a life.
fn has((start, end): Life, instant: i64) -> bool {
    (start <= instant && instant < end) || (start == end && instant == start)
}

fn column(instants: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    let instants: TimestampMicrosecondArray = instants.into_iter().collect();
    Arc::new(instants.with_timezone("UTC"))
}

/// Returns what an accumulator says of rows that come in these batches, each through a state.
fn accumulated(question: Question, batches: &[Vec<(Option<i64>, Option<i64>)>]) -> ScalarValue {
    let empty = || Lives { question, is_distinct: false, lives: Vec::new(), n_merged: 0 };
    let mut last = empty();
    for batch in batches {
        let mut partial = empty();
        let starts = column(batch.iter().map(|(start, _)| *start));
        let ends = column(batch.iter().map(|(_, end)| *end));
        partial.update_batch(&[starts, ends]).unwrap();
        let state = partial.state().unwrap();
        let state: Vec<ArrayRef> = state.iter().map(|value| value.to_array().unwrap()).collect();
        last.merge_batch(&state).unwrap();
    }
    let answer = last.evaluate().unwrap();
    assert_eq!(last.evaluate().unwrap(), answer, "a window function asks again and again");
    answer
}

#[test]
fn touching_lives_are_not_concurrent() {
    assert_eq!(max_concurrent(&sorted(&[(0, 5), (5, 9)])), 1);
    assert_eq!(max_concurrent(&sorted(&[(0, 6), (5, 9)])), 2);
    assert_eq!(max_concurrent(&sorted(&[(0, OPEN), (5, OPEN), (7, 8)])), 3);
    assert_eq!(max_concurrent(&[]), 0);
}

#[test]
fn an_instant_counts_where_it_is() {
    assert_eq!(max_concurrent(&sorted(&[(5, 5)])), 1);
    assert_eq!(max_concurrent(&sorted(&[(5, 5), (5, 5), (5, 9)])), 3);
    assert_eq!(max_concurrent(&sorted(&[(0, 5), (5, 5)])), 1, "the life has ended");
    assert_eq!(max_concurrent(&sorted(&[(5, 5), (6, 6)])), 1);
}

#[test]
fn lives_that_touch_are_one() {
    assert_eq!(merged(&sorted(&[(0, 5), (5, 9), (11, 12)])), [(0, 9), (11, 12)]);
    assert_eq!(merged(&sorted(&[(0, 9), (2, 3)])), [(0, 9)]);
    assert_eq!(merged(&sorted(&[(0, 5), (5, 5)])), [(0, 5), (5, 5)], "5 is not in [0, 5)");
    assert_eq!(merged(&sorted(&[(0, 5), (5, 5), (5, 6)])), [(0, 6)]);
    assert_eq!(merged(&sorted(&[(3, 3), (3, 3), (4, 2)])), [(3, 3)]);
}

#[test]
fn nothing_is_no_time_at_all() {
    assert_eq!(accumulated(Question::MaxConcurrent, &[]), ScalarValue::Int64(Some(0)));
    assert_eq!(accumulated(Question::Covered, &[]), ScalarValue::DurationMicrosecond(Some(0)));
    assert_eq!(accumulated(Question::MergeIntervals, &[]), intervals(&[]));
    let unknown = [vec![(None, Some(3)), (None, None), (Some(5), Some(4))]];
    assert_eq!(accumulated(Question::MaxConcurrent, &unknown), ScalarValue::Int64(Some(0)));
}

#[test]
fn equal_lives_count_once_if_they_are_to() {
    let mut lives = Lives {
        question: Question::MaxConcurrent,
        is_distinct: true,
        lives: vec![(0, 5), (1, 5), (0, 5)],
        n_merged: 0,
    };
    assert_eq!(lives.evaluate().unwrap(), ScalarValue::Int64(Some(2)));
}

/// Lives between 0 and 12, some without begin or end, some that end before they begin.
fn rows() -> impl Strategy<Value = Vec<(Option<i64>, Option<i64>)>> {
    let instant = || prop_oneof![8 => (0_i64..12).prop_map(Some), 1 => Just(None)];
    proptest::collection::vec((instant(), instant()), 0..12)
}

fn lives_of(rows: &[(Option<i64>, Option<i64>)]) -> Vec<Life> {
    rows.iter().filter_map(|(start, end)| Some(((*start)?, end.unwrap_or(OPEN)))).collect()
}

/// Every instant at which something may change, and one between each two.
fn instants() -> impl Iterator<Item = i64> {
    0..=13
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn as_many_at_once_as_brute_force_counts(rows in rows(), split in 0_usize..12) {
        let lives = sorted(&lives_of(&rows));
        // The number of lives only grows at begins, which are whole numbers.
        let most = instants().map(|at| lives.iter().filter(|life| has(**life, at)).count()).max();
        let (first, second) = rows.split_at(split.min(rows.len()));
        let found = accumulated(Question::MaxConcurrent, &[first.to_vec(), second.to_vec()]);
        prop_assert_eq!(found, ScalarValue::Int64(most.map(|n| i64::try_from(n).unwrap())));
    }

    #[test]
    fn merged_lives_have_the_same_instants(rows in rows()) {
        let lives: Vec<Life> =
            lives_of(&rows).into_iter().map(|(start, end)| (2 * start, end.saturating_mul(2))).collect();
        let merged = merged(&sorted(&lives));
        for at in 0..=26 {
            let is_there = lives.iter().any(|life| has(*life, at));
            let n_merged = merged.iter().filter(|life| has(**life, at)).count();
            prop_assert_eq!(n_merged, usize::from(is_there), "at {}: {:?}", at, merged);
        }
        for pair in merged.windows(2) {
            prop_assert!(pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].0);
            prop_assert!(pair[0].1 < pair[1].0 || pair[1].0 == pair[1].1, "{:?} touch", pair);
        }
    }

    #[test]
    fn as_long_as_brute_force_measures(rows in rows(), split in 0_usize..12) {
        let rows: Vec<_> =
            rows.into_iter().map(|(start, end)| (start, Some(end.unwrap_or(12)))).collect();
        let lives = lives_of(&rows);
        // Each whole number stands for the time up to the next one.
        let length = instants()
            .filter(|at| lives.iter().any(|(start, end)| start <= at && at < end))
            .count();
        let (first, second) = rows.split_at(split.min(rows.len()));
        let found = accumulated(Question::Covered, &[first.to_vec(), second.to_vec()]);
        prop_assert_eq!(found, ScalarValue::DurationMicrosecond(Some(i64::try_from(length).unwrap())));
    }
}
