//! Takes a script through all ways of running it.
//! In: the text of a script. Out: how many queries it has, and every record that failed, once, with
//! the ways in which it did.

use sqllogictest::{DefaultColumnType, Record, Runner, parse_with_name};

use crate::database::{Database, Failure, Pushed, Way};
use crate::render;

/// All ways of running a query.
pub(crate) const WAYS: [Way; 6] = [
    Way { pushed: Pushed::Exactly, page_rows: 3 },
    Way { pushed: Pushed::Exactly, page_rows: 1000 },
    Way { pushed: Pushed::Inexactly, page_rows: 3 },
    Way { pushed: Pushed::Inexactly, page_rows: 1000 },
    Way { pushed: Pushed::Nothing, page_rows: 3 },
    Way { pushed: Pushed::Nothing, page_rows: 1000 },
];

/// What came of a script.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// The queries of the script.
    pub(crate) n_queries: usize,
    /// How many times a query ran.
    pub(crate) n_runs: usize,
    /// The records that failed, and how.
    pub(crate) failures: Vec<String>,
}

/// Runs a script in all ways; goes on after a failure.
pub(crate) fn run_script(name: &str, script: &str) -> Summary {
    let records = parse_with_name::<DefaultColumnType>(script, name)
        .unwrap_or_else(|error| panic!("{error}"));
    let records: Vec<_> =
        records.into_iter().take_while(|record| !matches!(record, Record::Halt { .. })).collect();
    let is_query = |record: &&Record<_>| matches!(record, Record::Query { .. });
    let mut summary =
        Summary { n_queries: records.iter().filter(is_query).count(), ..Summary::default() };
    let mut failures: Vec<(String, Vec<Way>)> = Vec::new();
    for way in WAYS {
        let mut runner = Runner::new(|| async move { Ok::<_, Failure>(Database::new(way)) });
        runner.with_column_validator(render::are_expected);
        for record in &records {
            summary.n_runs += usize::from(is_query(&record));
            let Err(error) = runner.run(record.clone()) else { continue };
            let message = error.to_string();
            match failures.iter_mut().find(|(known, _)| *known == message) {
                Some((_, ways)) => ways.push(way),
                None => failures.push((message, vec![way])),
            }
        }
    }
    summary.failures = failures.iter().map(|(message, ways)| describe(message, ways)).collect();
    summary
}

fn describe(message: &str, ways: &[Way]) -> String {
    let names: Vec<String> = ways.iter().map(Way::to_string).collect();
    let ways = if ways.len() == WAYS.len() { "every way".to_owned() } else { names.join("; ") };
    format!("[Way] {ways}\n{message}")
}
