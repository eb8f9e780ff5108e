//! The rows of an interval join are those of the engine's joins and those of trying all pairs.

use std::sync::Arc;

use arrow::array::{
    Array as _, AsArray as _, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray,
    StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::common::{JoinSide, JoinType, NullEquality};
use datafusion::config::ConfigOptions;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use datafusion::physical_plan::joins::{HashJoinExecBuilder, NestedLoopJoinExec, PartitionMode};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionConfig;
use futures::StreamExt as _;
use proptest::prelude::*;

use super::work::Sizes;
use super::{IntervalJoinExec, Join};
use crate::columns::timestamp_type;
use crate::functions::scalar_functions;

mod question;

use question::{Question, questions};

type Expr = Arc<dyn PhysicalExpr>;
type Time = Option<i64>;

/// A row: two keys, a start and an end.
type Row = (Option<u8>, Option<i64>, Time, Time);

/// The place of `n`, by which rows are told apart.
const N: usize = 4;
const N_COLUMNS: usize = 7;

/// What a row's first key may be.
const FIRST_KEYS: [&str; 3] = ["word", "ratio", "list"];

const JOIN_TYPES: [JoinType; 8] = [
    JoinType::Inner,
    JoinType::Left,
    JoinType::Right,
    JoinType::Full,
    JoinType::LeftSemi,
    JoinType::RightSemi,
    JoinType::LeftAnti,
    JoinType::RightAnti,
];

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("word", DataType::Utf8, true),
        Field::new("number", DataType::Int64, true),
        Field::new("start", timestamp_type(), true),
        Field::new("end", timestamp_type(), true),
        Field::new("n", DataType::Int64, false),
        Field::new("ratio", DataType::Float64, true),
        Field::new_list("list", Field::new_list_field(DataType::Utf8, true), true),
    ]))
}

/// A number that no other key has, but for the zeros, which are the same.
fn ratio(key: u8) -> f64 {
    [0.0, -0.0, f64::NAN].get(usize::from(key)).copied().unwrap_or(f64::from(key))
}

fn list(key: u8) -> Vec<Option<String>> {
    let items = [vec![], vec![None], vec![Some(String::new())]];
    items.get(usize::from(key)).cloned().unwrap_or_else(|| vec![None, Some(key.to_string())])
}

/// A side with rows counted from 0, in batches of a size.
fn side(rows: &[Row], batch_rows: usize) -> Arc<dyn ExecutionPlan> {
    let times =
        |times: Vec<Time>| Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"));
    let words = rows.iter().map(|row| row.0.map(|word| format!("word {word}")));
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in rows {
        lists.append_option(row.0.map(list));
    }
    let all = RecordBatch::try_new(
        schema(),
        vec![
            Arc::new(words.collect::<StringArray>()),
            Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()),
            times(rows.iter().map(|row| row.2).collect()),
            times(rows.iter().map(|row| row.3).collect()),
            Arc::new((0..rows.len() as i64).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.0.map(ratio)).collect::<Float64Array>()),
            Arc::new(lists.finish()),
        ],
    )
    .unwrap();
    let starts = (0..rows.len()).step_by(batch_rows);
    let batches: Vec<RecordBatch> =
        starts.map(|at| all.slice(at, batch_rows.min(rows.len() - at))).collect();
    MemorySourceConfig::try_new_exec(&[batches], schema(), None).unwrap()
}

/// A column of the filter: those of the left side, then those of the right one.
fn column(side: JoinSide, name: &str) -> Expr {
    let idx = schema().index_of(name).unwrap();
    let idx = if side == JoinSide::Left { idx } else { idx + N_COLUMNS };
    Arc::new(Column::new(name, idx))
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Arc::new(BinaryExpr::new(left, op, right))
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let functions = scalar_functions();
    let function = functions.into_iter().find(|function| function.name() == name).unwrap();
    let fields = [schema().fields().to_vec(), schema().fields().to_vec()].concat();
    let config = Arc::new(ConfigOptions::default());
    let call = ScalarFunctionExpr::try_new(function, arguments, &Schema::new(fields), config);
    Arc::new(call.unwrap())
}

/// A join of random rows.
#[derive(Debug, Clone)]
struct Case {
    left: Vec<Row>,
    right: Vec<Row>,
    n_keys: usize,
    first_key: &'static str,
    joins_null: bool,
    question: Question,
    /// Whether `left.n < right.n` is asked for besides.
    is_filtered: bool,
    join_type: JoinType,
    batch_rows: usize,
    sizes: Sizes,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let time = || prop_oneof![6 => (0_i64..12).prop_map(Some), 1 => Just(None)];
    let key = prop_oneof![6 => (0_u8..3).prop_map(Some), 1 => Just(None)];
    let other_key = prop_oneof![6 => (0_i64..2).prop_map(Some), 1 => Just(None)];
    prop::collection::vec((key, other_key, time(), time()), 0..24)
}

fn cases() -> impl Strategy<Value = Case> {
    let sizes = (1_usize..20, 1_usize..40, 1_usize..30, 1_usize..50).prop_map(
        |(least_of_chunk, most_of_chunk, task, counted)| Sizes {
            least_of_chunk,
            most_of_chunk: most_of_chunk.max(least_of_chunk),
            task,
            counted,
            batches: 1,
        },
    );
    let asked = (questions(), any::<bool>(), prop::sample::select(&JOIN_TYPES[..]));
    let keys = (0_usize..3, prop::sample::select(&FIRST_KEYS[..]), any::<bool>());
    (rows(), rows(), keys, asked, 1_usize..10, sizes).prop_map(
        |(
            left,
            right,
            (n_keys, first_key, joins_null),
            (question, is_filtered, join_type),
            batch_rows,
            sizes,
        )| {
            Case {
                left,
                right,
                n_keys,
                first_key,
                joins_null,
                question,
                is_filtered,
                join_type,
                batch_rows,
                sizes,
            }
        },
    )
}

impl Case {
    fn join(&self) -> Join {
        let mut condition = self.question.expr();
        if self.is_filtered {
            let (left, right) = (column(JoinSide::Left, "n"), column(JoinSide::Right, "n"));
            condition = binary(condition, Operator::And, binary(left, Operator::Lt, right));
        }
        let sides = [JoinSide::Left, JoinSide::Right];
        let columns = sides
            .into_iter()
            .flat_map(|side| (0..N_COLUMNS).map(move |index| ColumnIndex { index, side }))
            .collect();
        let fields = [schema().fields().to_vec(), schema().fields().to_vec()].concat();
        let filter = JoinFilter::new(condition, columns, Arc::new(Schema::new(fields)));
        let key = |idx: usize| -> Expr {
            let name = [self.first_key, "number"][idx];
            Arc::new(Column::new(name, schema().index_of(name).unwrap()))
        };
        Join {
            left: side(&self.left, self.batch_rows),
            right: side(&self.right, self.batch_rows),
            on: (0..self.n_keys).map(|idx| (key(idx), key(idx))).collect(),
            null_equality: if self.joins_null {
                NullEquality::NullEqualsNull
            } else {
                NullEquality::NullEqualsNothing
            },
            filter,
            join_type: self.join_type,
            projection: Some(match self.join_type {
                JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                    vec![N, N_COLUMNS + N]
                }
                _ => vec![N],
            }),
        }
    }

    fn interval_join(&self, join: Join) -> Arc<dyn ExecutionPlan> {
        let node = IntervalJoinExec::try_new(join).unwrap().expect("it is one of intervals");
        Arc::new(IntervalJoinExec { sizes: self.sizes, ..node })
    }

    fn engine_join(&self) -> Arc<dyn ExecutionPlan> {
        let Join { left, right, on, null_equality, filter, join_type, projection } = self.join();
        if on.is_empty() {
            let join =
                NestedLoopJoinExec::try_new(left, right, Some(filter), &join_type, projection);
            return Arc::new(join.unwrap());
        }
        let join = HashJoinExecBuilder::new(left, right, on, join_type)
            .with_filter(Some(filter))
            .with_projection(projection)
            .with_null_equality(null_equality)
            .with_partition_mode(PartitionMode::CollectLeft);
        Arc::new(join.build().unwrap())
    }

    /// Returns what trying all pairs gives: numbers of left and right rows.
    fn pairs(&self) -> Vec<(Time, Time)> {
        let is_equal = |a: &Row, b: &Row| {
            let key = |one: Option<i64>, other: Option<i64>| {
                one == other && (self.joins_null || one.is_some())
            };
            let first = |row: &Row| match (self.first_key, row.0) {
                ("ratio", Some(1)) => Some(0),
                (_, first) => first.map(i64::from),
            };
            (self.n_keys < 1 || key(first(a), first(b))) && (self.n_keys < 2 || key(a.1, b.1))
        };
        let numbered = |rows: &[Row]| -> Vec<(i64, Row)> { (0..).zip(rows.to_vec()).collect() };
        let (left, right) = (numbered(&self.left), numbered(&self.right));
        let mut pairs = Vec::new();
        for (n, a) in &left {
            for (m, b) in &right {
                let holds = is_equal(a, b) && self.question.holds(a, b);
                if holds && (!self.is_filtered || n < m) {
                    pairs.push((Some(*n), Some(*m)));
                }
            }
        }
        let has_left = |n: i64| pairs.iter().any(|pair| pair.0 == Some(n));
        let has_right = |m: i64| pairs.iter().any(|pair| pair.1 == Some(m));
        let of_left = |wanted: bool| {
            let rows = (0..self.left.len() as i64).filter(move |n| has_left(*n) == wanted);
            rows.map(|n| (Some(n), None)).collect::<Vec<_>>()
        };
        let of_right = |wanted: bool| {
            let rows = (0..self.right.len() as i64).filter(move |m| has_right(*m) == wanted);
            rows.map(|m| (None, Some(m))).collect::<Vec<_>>()
        };
        let one = |rows: Vec<(Time, Time)>| {
            rows.into_iter().map(|(n, m)| (n.or(m), None)).collect::<Vec<_>>()
        };
        let mut rows = match self.join_type {
            JoinType::LeftSemi => one(of_left(true)),
            JoinType::LeftAnti => one(of_left(false)),
            JoinType::RightSemi => one(of_right(true)),
            JoinType::RightAnti => one(of_right(false)),
            JoinType::Left => [of_left(false), pairs].concat(),
            JoinType::Right => [of_right(false), pairs].concat(),
            JoinType::Full => [of_left(false), of_right(false), pairs].concat(),
            _ => pairs,
        };
        rows.sort_unstable();
        rows
    }
}

fn task(batch_rows: usize) -> Arc<TaskContext> {
    let config = SessionConfig::new().with_batch_size(batch_rows).with_target_partitions(3);
    Arc::new(TaskContext::default().with_session_config(config))
}

fn run(
    plan: Arc<dyn ExecutionPlan>,
    task: Arc<TaskContext>,
) -> datafusion::common::Result<Vec<RecordBatch>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(collect(plan, task))
}

fn numbers(batches: &[RecordBatch]) -> Vec<(Time, Time)> {
    let mut rows = Vec::new();
    for batch in batches {
        let of = |idx: usize, row: usize| {
            let column = batch.columns().get(idx)?.as_primitive::<Int64Type>();
            column.is_valid(row).then(|| column.value(row))
        };
        rows.extend((0..batch.num_rows()).map(|row| (of(0, row), of(1, row))));
    }
    rows.sort_unstable();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn the_rows_are_those_of_the_slow_way(case in cases()) {
        let rows = run(case.interval_join(case.join()), task(case.batch_rows)).unwrap();
        let rows = numbers(&rows);
        prop_assert_eq!(&rows, &case.pairs(), "all pairs");
        let of_engine = run(case.engine_join(), task(8)).unwrap();
        prop_assert_eq!(&rows, &numbers(&of_engine), "the engine's join");
        let nothing = Join { projection: Some(Vec::new()), ..case.join() };
        let counted = run(case.interval_join(nothing), task(case.batch_rows)).unwrap();
        let n_rows: usize = counted.iter().map(RecordBatch::num_rows).sum();
        prop_assert_eq!(n_rows, rows.len(), "rows without columns");
    }
}

fn overlap(left: Vec<Row>, right: Vec<Row>, join_type: JoinType) -> Case {
    Case {
        left,
        right,
        n_keys: 1,
        first_key: "word",
        joins_null: false,
        question: Question::Overlaps { is_turned: false },
        is_filtered: false,
        join_type,
        batch_rows: 8192,
        sizes: Sizes::default(),
    }
}

/// `n` sessions of users in turn, each an hour after the one before and two hours long.
fn many(n: i64, n_users: i64) -> Vec<Row> {
    const HOUR: i64 = 3_600_000_000;
    (0..n)
        .map(|i| (Some((i % n_users) as u8), None, Some(i * HOUR), Some((i + 2) * HOUR)))
        .collect()
}

#[test]
fn a_side_that_does_not_fit_is_joined_in_chunks_and_else_the_limit_is_named() {
    let case = overlap(many(2_000, 7), many(60_000, 7), JoinType::Inner);
    let with_limit = |bytes: usize| {
        let runtime = RuntimeEnvBuilder::new().with_memory_limit(bytes, 1.0).build_arc().unwrap();
        Arc::new(TaskContext::default().with_runtime(runtime))
    };
    let whole = run(case.interval_join(case.join()), with_limit(100 << 20)).unwrap();
    let chunked = run(case.interval_join(case.join()), with_limit(4 << 20)).unwrap();
    assert_eq!(numbers(&chunked), numbers(&whole));
    let error = run(case.interval_join(case.join()), with_limit(100_000)).unwrap_err();
    assert!(error.to_string().contains("interval join"), "{error}");
}

#[test]
fn many_keys_are_told_apart() {
    let rows = |range: std::ops::Range<i64>| -> Vec<Row> {
        range.map(|n| (None, Some(n), Some(n), Some(n + 1))).collect()
    };
    let mut case = overlap(rows(0..20_000), rows(-20_000..30_000), JoinType::Left);
    case.sizes = Sizes { least_of_chunk: 5_000, most_of_chunk: 5_000, ..Sizes::default() };
    let mut join = case.join();
    join.on = vec![(Arc::new(Column::new("number", 1)), Arc::new(Column::new("number", 1)))];
    let rows = numbers(&run(case.interval_join(join), task(8192)).unwrap());
    assert_eq!(rows, (0..20_000).map(|n| (Some(n), Some(n + 20_000))).collect::<Vec<_>>());
}

#[test]
fn large_sides_are_shared_out_among_threads() {
    let n_rows = 120_000;
    let rows = many(n_rows, 200);
    for (n_keys, n_pairs) in [(0, 3 * n_rows - 2), (1, n_rows)] {
        let mut case = overlap(rows.clone(), rows.clone(), JoinType::Inner);
        case.n_keys = n_keys;
        let nothing = Join { projection: Some(Vec::new()), ..case.join() };
        let counted = run(case.interval_join(nothing), task(8192)).unwrap();
        let n_found: usize = counted.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(n_found as i64, n_pairs, "{n_keys} keys");
    }
}

/// A billion pairs: the test ends soon only if the threads do when nobody takes their rows.
#[test]
fn who_wants_no_more_rows_ends_the_threads() {
    let rows: Vec<Row> = vec![(Some(1), None, Some(0), None); 32_000];
    let case = overlap(rows.clone(), rows, JoinType::Inner);
    let mut stream = case.interval_join(case.join()).execute(0, task(8192)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let first = runtime.block_on(stream.next()).unwrap().unwrap();
    assert!(first.num_rows() > 0);
    drop(stream);
    // It waits for the threads.
    drop(runtime);
}

#[test]
fn times_at_the_end_of_all_times_are_refused() {
    let row = (Some(1), None, Some(i64::MAX), None);
    let case = overlap(vec![row], vec![row], JoinType::Inner);
    let error = run(case.interval_join(case.join()), task(8192)).unwrap_err();
    assert!(error.to_string().contains("9223372036854775807 is out of range"), "{error}");
}
