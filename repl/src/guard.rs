//! What is asked before a query that costs much: at the prompt alone, and once for each query.
//! In: what the engine expects. Out: the question, if there is one to ask.

use std::time::Duration;

use sessionql_core::display::count;
use sessionql_core::duration;
use sessionql_core::explain::Estimate;

/// How many requests a query may send unasked.
const MAX_REQUESTS: u64 = 50;

/// How long it may take unasked, as far as the rate of a provider tells.
const MAX_TIME: Duration = Duration::from_secs(60);

/// Who asks, and returns whether the answer was yes.
pub(crate) type Ask<'a> = &'a mut dyn FnMut(&str) -> bool;

/// Returns what to ask about a query, if it costs much.
pub(crate) fn question(estimate: &Estimate) -> Option<String> {
    let Estimate { n_requests, takes } = *estimate;
    if n_requests <= MAX_REQUESTS && takes <= MAX_TIME {
        return None;
    }
    let mut cost = format!("about {}", count(n_requests, "request"));
    if takes >= Duration::from_secs(1) {
        let time = duration::human(Duration::from_secs(takes.as_secs()));
        cost.push_str(&format!(", which take about {time}"));
    }
    Some(format!("this query sends {cost}; run it? [y/N] "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(n_requests: u64, seconds: u64) -> Option<String> {
        question(&Estimate { n_requests, takes: Duration::from_secs(seconds) })
    }

    #[test]
    fn only_what_costs_much_is_asked_about() {
        assert_eq!(asked(50, 60), None);
        assert_eq!(asked(51, 0).unwrap(), "this query sends about 51 requests; run it? [y/N] ");
        assert_eq!(
            asked(20, 95).unwrap(),
            "this query sends about 20 requests, which take about 1m35s; run it? [y/N] "
        );
    }
}
