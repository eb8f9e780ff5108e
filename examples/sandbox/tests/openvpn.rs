//! The rules of the CloudConnexa emulator for tokens, parameters and refusals, one test each, over a bare socket.

mod raw;

use chrono::TimeDelta;
use raw::{ALL, at, basic, get, hourly, refused_field, send, token};
use sessionql_sandbox::openvpn::{EndDefault, RateLimit, SessionRecord, TokenStyle, UnknownStatus};

// Tokens

#[test]
fn all_three_token_styles_are_accepted_on_both_paths() {
    let emulator = hourly(0);
    let basic = basic(emulator.client_id(), emulator.client_secret());
    let basic = [("authorization", basic.as_str())];
    let query = "client_id=sandbox-client&client_secret=sandbox-secret";
    let json = r#"{"grant_type":"client_credentials","scope":"default"}"#;
    for version in ["beta", "v1"] {
        let path = format!("POST /api/{version}/oauth/token");
        let in_query = format!("{path}?{query}&grant_type=client_credentials");
        for reply in [
            send(&emulator, &in_query, &[], ""),
            send(&emulator, &path, &basic, ""),
            send(&emulator, &path, &basic, json),
        ] {
            assert_eq!(reply.status, 200);
            let token = reply.json();
            assert_eq!(token["token_type"], "bearer");
            assert_eq!(token["expires_in"], 43_199);
            assert_eq!(token["scope"], "read write");
        }
    }
    assert_eq!(emulator.token_requests().len(), 6);
}

#[test]
fn a_token_style_can_be_switched_off() {
    let emulator = hourly(0);
    emulator.set_switches(|switches| switches.token_styles = vec![TokenStyle::Query]);
    let basic = basic(emulator.client_id(), emulator.client_secret());
    let headers = [("authorization", basic.as_str())];
    assert_eq!(send(&emulator, "POST /api/v1/oauth/token", &headers, "").status, 401);
}

#[test]
fn wrong_credentials_get_an_empty_401() {
    let emulator = hourly(0);
    let wrong = basic("sandbox-client", "guess");
    let reply =
        send(&emulator, "POST /api/v1/oauth/token", &[("authorization", wrong.as_str())], "");
    assert_eq!((reply.status, reply.body.len()), (401, 0));
    assert_eq!(send(&emulator, "POST /api/v1/oauth/token", &[], "").status, 401);
}

#[test]
fn another_grant_type_is_refused() {
    let line = "POST /api/v1/oauth/token?client_id=sandbox-client&client_secret=sandbox-secret";
    let emulator = hourly(0);
    assert_eq!(send(&emulator, line, &[], "").status, 400);
    assert_eq!(send(&emulator, &format!("{line}&grant_type=password"), &[], "").status, 400);
}

#[test]
fn a_token_ends_with_its_lifetime_and_when_revoked() {
    let emulator = hourly(1);
    let ask = |token: &str| {
        let headers = [("authorization", token)];
        send(&emulator, "GET /api/beta/sessions?size=1", &headers, "").status
    };
    let first = token(&emulator);
    emulator.clock().advance(TimeDelta::seconds(43_198));
    assert_eq!(ask(&first), 200);
    emulator.clock().advance(TimeDelta::seconds(1));
    assert_eq!(ask(&first), 401);
    let second = token(&emulator);
    assert_eq!(ask(&second), 200);
    emulator.expire_tokens();
    assert_eq!(ask(&second), 401);
    assert_eq!(ask("Bearer made-up"), 401);
}

#[test]
fn without_a_token_the_answer_is_401() {
    let emulator = hourly(1);
    let reply = send(&emulator, "GET /api/beta/sessions?size=1", &[], "");
    assert_eq!((reply.status, reply.json()["statusError"].as_str()), (401, Some("Unauthorized")));
}

#[test]
fn a_forbidden_key_gets_403() {
    let emulator = hourly(1);
    emulator.set_switches(|switches| switches.forbidden = true);
    assert_eq!(get(&emulator, "/api/beta/sessions?size=1").status, 403);
}

// Parameters

#[test]
fn size_is_required_and_between_1_and_100() {
    let emulator = hourly(1);
    for query in ["", "?size=", "?size=0", "?size=101", "?size=-1", "?size=ten"] {
        let reply = get(&emulator, &format!("/api/beta/sessions{query}"));
        assert_eq!(refused_field(&reply), "size", "{query}");
    }
    for size in [1, 100] {
        assert_eq!(get(&emulator, &format!("/api/beta/sessions?size={size}")).status, 200);
    }
}

#[test]
fn start_date_defaults_to_one_day_ago() {
    let emulator = hourly(0);
    let old = at("2025-02-28T11:59:59Z");
    emulator.upsert(SessionRecord::completed("old", "bob", old, old));
    let young = old + TimeDelta::seconds(1);
    emulator.upsert(SessionRecord::completed("young", "bob", young, young));
    assert_eq!(get(&emulator, "/api/beta/sessions?size=100").ids(), ["young"]);
}

#[test]
fn the_history_is_7_days_at_beta_and_30_at_v1() {
    let emulator = hourly(0);
    for (version, first, before) in [
        ("beta", "2025-02-22T12:00:00Z", "2025-02-22T11:59:59.999Z"),
        ("v1", "2025-01-30T12:00:00Z", "2025-01-30T11:59:59.999Z"),
    ] {
        let path = format!("/api/{version}/sessions?size=1&startDate=");
        assert_eq!(get(&emulator, &format!("{path}{first}")).status, 200);
        let reply = get(&emulator, &format!("{path}{before}"));
        assert_eq!(refused_field(&reply), "startDate");
    }
}

#[test]
fn the_horizon_moves_with_the_clock_and_can_be_set() {
    let emulator = hourly(0);
    let path = "/api/beta/sessions?size=1&startDate=2025-02-22T12:00:00Z";
    assert_eq!(get(&emulator, path).status, 200);
    emulator.clock().advance(TimeDelta::milliseconds(1));
    assert_eq!(get(&emulator, path).status, 400);
    emulator.set_switches(|switches| switches.history = Some(TimeDelta::days(8)));
    assert_eq!(get(&emulator, path).status, 200);
}

#[test]
fn a_start_at_or_after_the_end_is_an_empty_page() {
    let emulator = hourly(12);
    let path = "/api/beta/sessions?size=9&startDate=2025-03-01T05:00:00Z";
    for end in ["2025-03-01T05:00:00Z", "2025-03-01T04:00:00Z"] {
        let reply = get(&emulator, &format!("{path}&endDate={end}"));
        assert_eq!((reply.status, reply.body.as_slice()), (200, &br#"{"sessions":[]}"#[..]));
    }
}

#[test]
fn start_is_inclusive_and_end_is_exclusive() {
    let emulator = hourly(12);
    let path = "/api/beta/sessions?size=9&returnOnlyNew=true&startDate=2025-03-01T05:00:00Z\
                &endDate=2025-03-01T07:00:00.000Z";
    assert_eq!(get(&emulator, path).ids(), ["s5", "s6"]);
}

#[test]
fn only_instants_with_a_z_are_dates() {
    let emulator = hourly(1);
    for date in ["2025-03-01T01:00:00%2B02:00", "2025-03-01", "2025-03-01%2001:00:00Z", "", "now"] {
        for name in ["startDate", "endDate"] {
            let reply = get(&emulator, &format!("/api/beta/sessions?size=1&{name}={date}"));
            assert_eq!(refused_field(&reply), name, "{date}");
        }
    }
    assert_eq!(
        get(&emulator, "/api/beta/sessions?size=1&startDate=2025-03-01T00:00:00.123456Z").status,
        200
    );
}

#[test]
fn the_end_defaults_to_now_unless_switched() {
    let emulator = hourly(0);
    emulator.upsert(SessionRecord::active("ahead", "bob", at("2025-03-01T12:00:05Z")));
    assert!(get(&emulator, ALL).ids().is_empty());
    emulator.set_switches(|switches| switches.end_default = EndDefault::Open);
    assert_eq!(get(&emulator, ALL).ids(), ["ahead"]);
}

#[test]
fn status_filters_by_its_exact_name() {
    let emulator = hourly(1);
    emulator.upsert(SessionRecord::active("a", "bob", at("2025-03-01T02:00:00Z")));
    emulator.upsert(SessionRecord::failed("f", "bob", at("2025-03-01T03:00:00Z")));
    let ids = |status: &str| get(&emulator, &format!("{ALL}&status={status}")).ids();
    assert_eq!(ids("ACTIVE"), ["a"]);
    assert_eq!(ids("COMPLETED"), ["s0"]);
    assert_eq!(ids("FAILED"), ["f"]);
    let lower = format!("{ALL}&status=active");
    assert_eq!(refused_field(&get(&emulator, &lower)), "status");
    emulator.set_switches(|switches| switches.unknown_status = UnknownStatus::Ignored);
    assert_eq!(get(&emulator, &lower).ids().len(), 3);
    emulator.set_switches(|switches| switches.unknown_status = UnknownStatus::MatchesNothing);
    assert!(get(&emulator, &lower).ids().is_empty());
    emulator.set_switches(|switches| switches.status_ignores_case = true);
    assert_eq!(get(&emulator, &lower).ids(), ["a"]);
}

#[test]
fn unknown_parameters_are_ignored_and_repeated_ones_refused() {
    let emulator = hourly(1);
    let path = "/api/beta/sessions?size=1&from=2025-03-01T00:00:00%2B00:00&user=bob";
    assert_eq!(get(&emulator, path).ids(), ["s0"]);
    let twice = get(&emulator, "/api/beta/sessions?size=1&status=ACTIVE&status=FAILED");
    assert_eq!(refused_field(&twice), "status");
    let unclear = get(&emulator, "/api/beta/sessions?size=1&returnOnlyNew=yes");
    assert_eq!(refused_field(&unclear), "returnOnlyNew");
}

// Refusals

#[test]
fn unknown_paths_and_other_methods_are_violations() {
    let emulator = hourly(1);
    let reply = get(&emulator, "/api/beta/api/beta/sessions?size=1");
    assert_eq!(reply.status, 404);
    assert_eq!(reply.json()["path"], "/api/beta/api/beta/sessions");
    assert_eq!(reply.json()["timestamp"], 1_740_830_400_000_i64);
    assert_eq!(send(&emulator, "DELETE /api/v1/sessions", &[], "").status, 405);
    assert_eq!(send(&emulator, "GET /api/v1/oauth/token", &[], "").status, 405);
    let violations: Vec<String> = emulator.violations().iter().map(ToString::to_string).collect();
    assert_eq!(
        violations,
        [
            "GET /api/beta/api/beta/sessions?size=1",
            "DELETE /api/v1/sessions",
            "GET /api/v1/oauth/token"
        ]
    );
}

#[test]
fn a_client_that_does_not_accept_json_gets_406() {
    let emulator = hourly(1);
    let token = token(&emulator);
    let ask = |accept| {
        let headers = [("authorization", token.as_str()), ("accept", accept)];
        send(&emulator, "GET /api/beta/sessions?size=1", &headers, "").status
    };
    assert_eq!([ask("text/html"), ask("application/json"), ask("*/*")], [406, 200, 200]);
}

#[test]
fn the_rate_limit_is_20_at_once_and_one_each_15_s() {
    let emulator = hourly(1);
    emulator.set_switches(|switches| switches.rate_limit = Some(RateLimit::vendor()));
    let ask = || get(&emulator, "/api/beta/sessions?size=1");
    let first = ask();
    assert_eq!(first.header("x-ratelimit-burst-capacity"), Some("20"));
    assert_eq!(first.header("x-ratelimit-replenish-rate"), Some("1"));
    assert_eq!(first.header("x-ratelimit-replenish-time"), Some("15"));
    assert_eq!(first.header("x-ratelimit-remaining"), Some("19"));
    assert!((0..19).all(|_| ask().status == 200));
    let refused = ask();
    assert_eq!((refused.status, refused.body.len()), (429, 0));
    assert!(refused.header("retry-after").is_none());
    emulator.clock().advance(TimeDelta::seconds(14));
    assert_eq!(ask().status, 429);
    emulator.clock().advance(TimeDelta::seconds(1));
    assert_eq!([ask().status, ask().status], [200, 429]);
    emulator.clock().advance(TimeDelta::hours(1));
    assert_eq!(ask().header("x-ratelimit-remaining"), Some("19"));
}
