//! Holds the plugin against the rules that every plugin must keep, on an API played here.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

use serde_json::{Value, json};
use sessionql_ekran::sessionql_plugin_v1;
use sessionql_plugin_sdk::Timestamp;
use sessionql_plugin_sdk::check::{CLOCK, Data, Standing, Subject, check_provider};
use sessionql_plugin_sdk::message::HttpRequest;
use sessionql_plugin_sdk::testing::Reply;

const MINUTE_US: i64 = 60_000_000;

/// Answers with all sessions that touch the bounds, cut to them; times are in UTC.
fn api(data: &Data, request: &HttpRequest) -> Reply {
    let bound = |wanted: &str| {
        let found = request.query.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| Timestamp::parse(&format!("{value}Z")).unwrap())
    };
    let (start, end) = (bound("start"), bound("end"));
    let sessions = (0..data.n_records).filter_map(|n| session(n, start, end));
    Reply::json(&sessions.collect())
}

fn session(n: usize, start: Option<Timestamp>, end: Option<Timestamp>) -> Option<Value> {
    let login = Timestamp::parse(CLOCK).unwrap() - (30 + 37 * n as i64) * MINUTE_US;
    let logout = (!n.is_multiple_of(3)).then(|| login + 90 * MINUTE_US);
    if start.is_some_and(|start| logout.is_some_and(|logout| logout < start))
        || end.is_some_and(|end| login > end)
    {
        return None;
    }
    let login = start.map_or(login, |start| login.max(start));
    let logout = logout.map(|logout| end.map_or(logout, |end| logout.min(end)));
    Some(json!({
        "clientGuid": format!("c{}", n % 2), "sessionId": n, "userId": n % 4 + 100,
        "loginDate": login.to_rfc3339(), "logoutDate": logout.map(|logout| logout.to_rfc3339()),
    }))
}

#[test]
fn all_rules_are_kept_but_those_on_pages() {
    for options in [
        json!({}),
        json!({ "time_zone": "UTC" }),
        json!({ "time_zone": "UTC", "selection": "overlap", "unfinished": "no_logout" }),
    ] {
        let subject = Subject::new(sessionql_plugin_v1).options(options).api(api);
        let checked = check_provider(subject);
        let skipped = checked.iter().filter(|checked| checked.standing == Standing::Skipped);
        assert_eq!(
            skipped.map(ToString::to_string).collect::<Vec<_>>(),
            [
                "skipped: paging/short-page: needs an API that answers in pages",
                "skipped: paging/empty-last-page: needs an API that answers in pages",
                "skipped: paging/cursor-loop: needs an API that answers in pages",
            ]
        );
    }
}
