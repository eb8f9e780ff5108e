//! What plans and scans have in common, whatever the provider.

use serde::de::DeserializeOwned;
use sessionql_plugin_abi::message::{Estimate, Gap, Plan, Request, ScanRequest, Verdict};
use sessionql_plugin_abi::{Reason, WireError};

use crate::error::{Error, Result};
use crate::time::Timestamp;

/// Returns what the host's clock showed at the begin of the statement.
///
/// # Errors
/// `plugin_error` if it cannot be read.
pub fn clock(request: &Request) -> Result<Timestamp, WireError> {
    Timestamp::parse(&request.clock).ok_or_else(|| {
        let message = format!("the host's clock `{}` cannot be read", request.clock);
        WireError::new(Reason::PluginError, message)
    })
}

/// Returns what scans of this connection learned before; the default if it is nothing, or has the
/// form of another version of the plugin.
pub fn learned<T: DeserializeOwned + Default>(request: &Request) -> T {
    T::deserialize(&request.learned).unwrap_or_default()
}

/// Returns the slice that a scan is to read, as the plan wrote it.
///
/// # Errors
/// `plugin_error` if it has another form.
pub fn slice<T: DeserializeOwned>(scan: &ScanRequest) -> Result<T> {
    T::deserialize(&scan.slice)
        .map_err(|error| Error::plugin(format!("the slice cannot be read: {error}")))
}

/// Returns the plan of filters that no row passes: no slice, which is an exact answer. `reason` is
/// for EXPLAIN.
pub fn no_rows(request: &Request, reason: &str) -> Plan {
    let n_filters = request.filters.len();
    Plan {
        verdicts: vec![Verdict::Exact; n_filters],
        reasons: vec![reason.to_owned(); n_filters],
        estimate: Estimate { requests: Some(0), rows: Some(0) },
        ..Plan::default()
    }
}

/// Returns verdicts and reasons as a plan has them.
pub fn judged<'a>(
    answers: impl IntoIterator<Item = (Verdict, &'a str)>,
) -> (Vec<Verdict>, Vec<String>) {
    answers.into_iter().map(|(verdict, reason)| (verdict, reason.to_owned())).unzip()
}

/// Returns how many rows to ask for in a page: fewer than `most` only if there is a limit and every
/// row that comes counts.
pub fn page_rows(request: &Request, verdicts: &[Verdict], most: u64) -> u64 {
    let all_exact = verdicts.iter().all(|verdict| *verdict == Verdict::Exact);
    let limit = request.limit.filter(|_| all_exact).unwrap_or(most);
    limit.clamp(1, most)
}

/// Returns the gap of a question that reaches before what the provider keeps. `asked` is such as
/// `from 2026-01-05T00:00:00Z`.
pub fn history_gap(asked: &str, covered: Timestamp) -> Gap {
    let message = format!("asked {asked}, covered from {}", covered.to_rfc3339_s());
    Gap { reason: Reason::History, message }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pages_are_small_only_if_all_rows_count() {
        let request = Request { limit: Some(5), ..Request::default() };
        assert_eq!(page_rows(&request, &[Verdict::Exact], 100), 5);
        assert_eq!(page_rows(&request, &[Verdict::Exact, Verdict::Inexact], 100), 100);
        assert_eq!(page_rows(&request, &[], 3), 3);
        assert_eq!(page_rows(&Request { limit: Some(0), ..Request::default() }, &[], 3), 1);
        assert_eq!(page_rows(&Request::default(), &[], 3), 3);
    }

    #[test]
    fn what_was_learned_in_another_form_is_nothing() {
        let request = Request { learned: json!({"n": 1}), ..Request::default() };
        assert_eq!(learned::<Vec<u8>>(&request), [0; 0]);
        let request = Request { learned: json!([1]), ..Request::default() };
        assert_eq!(learned::<Vec<u8>>(&request), [1]);
    }

    #[test]
    fn gaps_name_whole_seconds_that_are_covered() {
        let gap = history_gap("until now", Timestamp(1));
        assert_eq!(gap.message, "asked until now, covered from 1970-01-01T00:00:01Z");
    }
}
