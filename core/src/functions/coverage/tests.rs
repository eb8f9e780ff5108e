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

/// A row: start and end.
type Row = (Option<i64>, Option<i64>);

fn columns(rows: &[Row]) -> [ArrayRef; 2] {
    [column(rows.iter().map(|(start, _)| *start)), column(rows.iter().map(|(_, end)| *end))]
}

/// Returns what an accumulator says of rows that come in these batches, each through a state.
fn accumulated(question: Question, batches: &[Vec<Row>]) -> ScalarValue {
    let empty = || Lives::new(question, false);
    let mut last = empty();
    for batch in batches {
        let mut partial = empty();
        partial.update_batch(&columns(batch)).unwrap();
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
    assert_eq!(accumulated(Question::Gaps, &[]), intervals(&[]));
    let unknown = [vec![(None, Some(3)), (None, None), (Some(5), Some(4))]];
    assert_eq!(accumulated(Question::MaxConcurrent, &unknown), ScalarValue::Int64(Some(0)));
}

#[test]
fn equal_lives_count_once_if_they_are_to() {
    let rows = [(Some(0), Some(5)), (Some(1), Some(5)), (Some(0), Some(5))];
    let mut lives = Lives::new(Question::MaxConcurrent, true);
    lives.update_batch(&columns(&rows)).unwrap();
    assert_eq!(lives.evaluate().unwrap(), ScalarValue::Int64(Some(2)));
    let mut frame = FrameLives::new(Question::MaxConcurrent, true);
    frame.update_batch(&columns(&rows)).unwrap();
    frame.retract_batch(&columns(&rows[..1])).unwrap();
    assert_eq!(frame.evaluate().unwrap(), ScalarValue::Int64(Some(2)), "one of two is left");
    frame.retract_batch(&columns(&rows[1..2])).unwrap();
    assert_eq!(frame.evaluate().unwrap(), ScalarValue::Int64(Some(1)));
}

/// Lives between 0 and 12, some without begin or end, some that end before they begin.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    let instant = || prop_oneof![8 => (0_i64..12).prop_map(Some), 1 => Just(None)];
    proptest::collection::vec((instant(), instant()), 0..12)
}

fn lives_of(rows: &[Row]) -> Vec<Life> {
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

    #[test]
    fn gaps_are_what_lies_between_and_belongs_to_no_life(rows in rows(), split in 0_usize..12) {
        // Twice as far apart, so that there is an instant between each two.
        let twice = |instant: Option<i64>| instant.map(|instant| 2 * instant);
        let rows: Vec<Row> =
            rows.into_iter().map(|(start, end)| (twice(start), twice(end))).collect();
        let lives = lives_of(&rows);
        let lives: Vec<Life> = lives.into_iter().filter(|(start, end)| start <= end).collect();
        let first = lives.iter().map(|(start, _)| *start).min();
        let last = lives.iter().map(|(_, end)| *end).max();
        let (some, others) = rows.split_at(split.min(rows.len()));
        let found = accumulated(Question::Gaps, &[some.to_vec(), others.to_vec()]);
        let gaps = between(&merged(&sorted(&lives)));
        prop_assert_eq!(found, intervals(&gaps));
        for at in 0..=26 {
            let is_inner = first.is_some_and(|first| first < at) && last.is_some_and(|last| at < last);
            let is_idle = is_inner && !lives.iter().any(|life| has(*life, at));
            // A gap begins with the end of a life, which is no part of it, unless that is an instant.
            let n_gaps = gaps.iter().filter(|(start, end)| *start <= at && at < *end).count();
            let is_instant = lives.contains(&(at, at));
            prop_assert!(n_gaps == usize::from(is_idle) || is_instant, "at {}: {:?}", at, gaps);
        }
        for pair in gaps.windows(2) {
            prop_assert!(pair[0].0 < pair[0].1 && pair[0].1 <= pair[1].0, "{:?}", pair);
        }
    }

    #[test]
    fn frames_are_answered_as_if_each_were_all_there_is(
        rows in proptest::collection::vec((0_i64..12, 0_i64..14), 1..24)
            .prop_map(|rows| rows.into_iter().map(|(start, end)| {
                (Some(start), (end < 13).then_some(end))
            }).collect::<Vec<Row>>()),
        moves in proptest::collection::vec((0_usize..4, 0_usize..4), 1..24),
    ) {
        for question in
            [Question::MaxConcurrent, Question::MergeIntervals, Question::Covered, Question::Gaps]
        {
            let (mut from, mut to) = (0, 0);
            let mut frame = FrameLives::new(question, false);
            let mut growing = Lives::new(question, false);
            for (fewer, more) in &moves {
                let new_to = (to + more).min(rows.len());
                let new_from = (from + fewer).min(new_to);
                frame.update_batch(&columns(&rows[to..new_to])).unwrap();
                frame.retract_batch(&columns(&rows[from..new_from])).unwrap();
                growing.update_batch(&columns(&rows[to..new_to])).unwrap();
                (from, to) = (new_from, new_to);
                let all = |rows: &[Row]| {
                    // An open end would be out of range as a duration; lowering puts now there.
                    question.answer(&sorted(&lives_of(rows))).ok()
                };
                prop_assert_eq!(frame.evaluate().ok(), all(&rows[from..to]));
                prop_assert_eq!(growing.evaluate().ok(), all(&rows[..to]));
            }
        }
    }
}

#[test]
fn a_frame_that_moves_on_forgets_what_it_left() {
    let mut tally = tally::Tally::default();
    let life = |at: i64| (10 * at, 10 * at + 25);
    for at in 0..200_000 {
        tally.add(life(at));
        if at >= 100 {
            tally.take(life(at - 100));
        }
        assert_eq!(tally.most(), (at + 1).min(3));
    }
    assert!(tally.size_bytes() < 1_000_000, "{} bytes", tally.size_bytes());
}
