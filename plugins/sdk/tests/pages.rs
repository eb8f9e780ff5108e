//! Reads listings of every style from an API that pages in that style, and from APIs that do it
//! wrongly: every record once, or an error, never fewer rows without a word.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of a test may fail")]

#[path = "pages/api.rs"]
mod api;

use proptest::prelude::*;
use serde_json::{Value, json};
use sessionql_plugin_sdk::Reason;
use sessionql_plugin_sdk::testing::{Reply, Scan};

use api::{Api, STYLES, page_of, read, reply, scan};

/// Returns the ids that came, in order.
fn ids(scan: &Scan) -> Vec<u64> {
    scan.rows().iter().map(|row| row[0].as_str().unwrap().parse().unwrap()).collect()
}

fn error(scan: &Scan) -> String {
    let errors = &scan.outcome.as_ref().unwrap_err().errors;
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].code, Reason::BadAnswer, "{errors:?}");
    errors[0].message.clone()
}

#[test]
fn every_style_reads_every_record_once() {
    for style in STYLES {
        for n_records in [0, 1, 2, 3, 4, 5, 6, 7, 12] {
            let scan = read(style, &Api { n_records, ..Api::of_size(3) });
            assert_eq!(scan.error_messages(), [""; 0], "{style}, {n_records} records");
            assert_eq!(ids(&scan), (0..n_records).collect::<Vec<_>>(), "{style}");
            assert_eq!(scan.outcome.unwrap().gaps, [], "{style}");
        }
    }
}

#[test]
fn a_server_with_smaller_pages_is_read_to_its_end() {
    for style in STYLES.into_iter().filter(|style| *style != "single") {
        let scan = read(style, &Api { n_records: 7, asked: 100, ..Api::of_size(3) });
        assert_eq!(ids(&scan), (0..7).collect::<Vec<_>>(), "{style}");
    }
}

#[test]
fn requests_are_those_of_the_style() {
    let lines = |style| read(style, &Api { n_records: 5, ..Api::of_size(3) }).request_lines();
    assert_eq!(lines("single"), ["GET /items?of=a b"]);
    for style in ["cursor", "number cursor", "header cursor"] {
        assert_eq!(lines(style), ["GET /items?of=a b", "GET /items?of=a b&cursor=3"], "{style}");
    }
    assert_eq!(lines("link header"), ["GET /items?of=a b", "GET /items?of=a b&cursor=3"]);
    let numbered = ["GET /items?of=a b&size=3&page=1", "GET /items?of=a b&size=3&page=2"];
    assert_eq!(lines("page, total"), numbered);
    assert_eq!(lines("page, has_more"), numbered);
    assert_eq!(lines("page, short page"), numbered);
    assert_eq!(lines("page").len(), 3, "an empty page is the end");
    let skipping = ["GET /items?of=a b&size=3&offset=0", "GET /items?of=a b&size=3&offset=3"];
    assert_eq!(lines("offset, total"), skipping);
    assert_eq!(lines("offset, has_more"), skipping);
    let zero = read("page from 0", &Api { n_records: 1, ..Api::of_size(3) }).request_lines();
    assert_eq!(zero, ["GET /items?of=a b&size=3&page=0", "GET /items?of=a b&size=3&page=1"]);
}

#[test]
fn parameters_go_into_a_json_body_if_there_is_one() {
    let api = Api { n_records: 5, ..Api::of_size(3) };
    let bodies = |style: &str| -> Vec<_> {
        let scan = read(style, &api);
        assert_eq!(ids(&scan), [0, 1, 2, 3, 4]);
        scan.requests.into_iter().map(|request| request.body.unwrap()).collect()
    };
    assert_eq!(bodies("cursor in body"), [r#"{"of":"all"}"#, r#"{"of":"all","cursor":"3"}"#]);
    assert_eq!(
        bodies("offset in body"),
        [r#"{"of":"all","size":3,"offset":0}"#, r#"{"of":"all","size":3,"offset":3}"#]
    );
}

#[test]
fn a_scan_stops_after_the_page_that_is_enough() {
    for style in STYLES {
        let api = Api { n_records: 12, ..Api::of_size(3) };
        let scan = scan(style, 2, |request| reply(style, &api, request));
        assert_eq!((scan.code, scan.requests.len()), (0, 1), "{style}");
        assert!(scan.was_stopped, "{style}");
    }
}

#[test]
fn a_broken_page_in_the_middle_is_an_error_after_the_rows_before_it() {
    for style in STYLES.into_iter().filter(|style| *style != "single") {
        let api = Api { n_records: 9, ..Api::of_size(3) };
        for broken in ["{\"items\": [{\"id\": \"3\"}", "{\"error\": \"busy\"}", "[]"] {
            let mut n_requests = 0;
            let scan = scan(style, usize::MAX, |request| {
                n_requests += 1;
                if n_requests == 2 {
                    Reply::status(200, broken)
                } else {
                    reply(style, &api, request)
                }
            });
            assert!(error(&scan).contains("the answer to `"), "{style}");
            assert_eq!((scan.code, ids(&scan).len()), (1, 3), "{style}, {broken}");
        }
    }
}

#[test]
fn a_refused_page_is_an_error() {
    for style in STYLES.into_iter().filter(|style| *style != "single") {
        let api = Api { n_records: 9, ..Api::of_size(3) };
        let mut n_requests = 0;
        let scan = scan(style, usize::MAX, |request| {
            n_requests += 1;
            if n_requests == 2 {
                Reply::status(404, "no page")
            } else {
                reply(style, &api, request)
            }
        });
        assert!(scan.error_messages()[0].contains("answered 404: no page"), "{style}");
    }
}

#[test]
fn a_server_that_does_not_know_the_parameter_is_an_error_before_rows_come_twice() {
    for style in STYLES.into_iter().filter(|style| *style != "single") {
        let api = Api { n_records: 9, ..Api::of_size(3) };
        let mut first = None;
        let counts = style.starts_with("page") || style.starts_with("offset");
        // A consumer who would have been content with rows that came twice gets none.
        let enough = if counts { 6 } else { usize::MAX };
        let scan = scan(style, enough, |request| {
            first.get_or_insert_with(|| reply(style, &api, request)).clone()
        });
        let message = error(&scan);
        assert!(message.contains("repeats"), "{style}: {message}");
        if counts {
            assert_eq!(ids(&scan), [0, 1, 2], "{style}");
        }
    }
}

#[test]
fn pages_that_end_before_the_total_are_an_error() {
    for style in ["page, total", "offset, total", "page, total header", "cursor, total"] {
        let mut n_requests = 0;
        let scan = scan(style, usize::MAX, |_| {
            n_requests += 1;
            let records = if n_requests == 1 { 0..3 } else { 0..0 };
            let mut reply =
                Reply::json(&json!({"items": page_of(records), "total": 7, "next": null}));
            reply.headers = vec![("x-total-count".to_owned(), "7".to_owned())];
            reply
        });
        let message = error(&scan);
        assert!(message.contains("ends the pages after 3 of 7 records"), "{style}: {message}");
    }
}

#[test]
fn an_empty_page_in_the_middle_is_passed_only_if_the_answer_says_that_there_is_more() {
    let answer = |style: &str| {
        let mut n_requests = 0;
        scan(style, usize::MAX, |_| {
            n_requests += 1;
            let records = [0..3, 0..0, 3..5][n_requests - 1].clone();
            let next = (n_requests < 3).then(|| n_requests.to_string());
            Reply::json(&json!({"items": page_of(records), "more": n_requests < 3, "next": next}))
        })
    };
    assert_eq!(ids(&answer("page, has_more")), [0, 1, 2, 3, 4]);
    assert_eq!(ids(&answer("cursor")), [0, 1, 2, 3, 4]);
    let message = error(&answer("offset, has_more"));
    assert!(message.contains("has no records, but says that there are more"), "{message}");
}

#[test]
fn what_an_answer_should_tell_but_does_not_is_an_error() {
    let told =
        |style: &str, document: Value| error(&scan(style, usize::MAX, |_| Reply::json(&document)));
    let items = json!([{"id": "0"}]);
    for (style, document, expected) in [
        ("page, total", json!({"items": items}), "no whole number in `total`"),
        ("page, total", json!({"items": items, "total": -1}), "no whole number in `total`"),
        ("page, total header", json!({"items": items}), "no whole number in `x-total-count`"),
        ("page, has_more", json!({"items": items}), "no true or false in `more`"),
        ("page, has_more", json!({"items": items, "more": "yes"}), "no true or false in `more`"),
        ("cursor", json!({"items": items, "next": {}}), "neither text nor a whole number"),
        ("cursor, has_more", json!({"items": items, "more": true}), "there is another page"),
        ("link", json!({"items": items, "next": 5}), "no text in `next`"),
        ("single, total", json!({"items": items, "total": 2}), "after 1 of 2 records"),
    ] {
        let message = told(style, document);
        assert!(message.contains(expected), "{style}: {message}");
    }
}

#[test]
fn a_listing_that_shrinks_meanwhile_has_a_gap() {
    for style in ["page, total", "offset, total"] {
        let mut n_requests = 0;
        let scan = scan(style, usize::MAX, |_| {
            n_requests += 1;
            let (records, total) = if n_requests == 1 { (0..3, 5) } else { (4..5, 4) };
            Reply::json(&json!({"items": page_of(records), "total": total}))
        });
        let gaps = scan.outcome.unwrap().gaps;
        assert_eq!(gaps.len(), 1, "{style}");
        assert_eq!(gaps[0].reason, Reason::Capped);
        assert!(gaps[0].message.contains("shrank while its 2 pages were read"), "{gaps:?}");
    }
}

#[test]
fn links_are_followed_below_the_base_url_only() {
    let follow = |link: &str| {
        let mut n_requests = 0;
        scan("link header", usize::MAX, |_| {
            n_requests += 1;
            let records = if n_requests == 1 { 0..1 } else { 1..2 };
            let mut reply = Reply::json(&json!({"items": page_of(records)}));
            if n_requests == 1 {
                reply.headers.push(("link".to_owned(), link.to_owned()));
            }
            reply
        })
    };
    for link in [
        "<https://api.test/base/items?p=a%20b>; rel=\"next\"",
        "</base/items?p=a+b>; rel=next, </base/items>; rel=first",
        "<?p=a%20b>; rel=\"last next\"",
    ] {
        let scan = follow(link);
        assert_eq!(scan.error_messages(), [""; 0], "{link}");
        assert_eq!(scan.request_lines()[1], "GET /items?p=a b", "{link}");
        assert_eq!(ids(&scan), [0, 1], "{link}");
    }
    for (link, expected) in [
        ("<https://evil.test/base/items?p=2>; rel=next", "elsewhere, on `evil.test`"),
        ("</other/items?p=2>; rel=next", "outside of the base URL"),
        ("</base/items?p=2; rel=next", "a header `Link` that cannot be read"),
        ("</base/items?of=a+b>; rel=next", "repeats an earlier page"),
    ] {
        let scan = follow(link);
        assert!(error(&scan).contains(expected), "{link}: {}", error(&scan));
        assert_eq!(scan.requests.len(), 1, "{link}");
    }
    let undeclared = follow("</base/secrets>; rel=next");
    let document = undeclared.outcome.unwrap_err();
    let error = &document.errors[0];
    assert_eq!(error.message, "no pattern for `GET /secrets`");
    assert_eq!(error.hint.as_deref(), Some("the link to the next page led there from page 1"));
}

#[test]
fn numbered_pages_whose_size_changes_are_an_error() {
    let mut n_requests = 0;
    let scan = scan("page, applied size", usize::MAX, |_| {
        n_requests += 1;
        let (records, size) = if n_requests == 1 { (0..3, 3) } else { (3..5, 2) };
        Reply::json(&json!({"items": page_of(records), "size": size}))
    });
    let message = error(&scan);
    assert!(message.contains("has pages of 2 records, the one before of 3"), "{message}");
}

#[test]
fn pages_without_end_are_an_error() {
    let mut n_requests = 0;
    let scan = scan("cursor, few pages", usize::MAX, |_| {
        n_requests += 1;
        Reply::json(&json!({"items": [], "next": n_requests}))
    });
    assert!(error(&scan).contains("`/items` has more than 5 pages"), "{}", error(&scan));
    assert_eq!(n_requests, 5);
}

#[test]
fn a_page_that_was_not_followed_is_the_plugins_mistake() {
    let scan = scan("not followed", usize::MAX, |_| Reply::json(&json!({"items": []})));
    assert_eq!(scan.error_messages(), ["page 1 was read but not followed"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_number_of_records_in_pages_of_any_size_comes_once(
        n_records in 0_u64..40,
        most in 1_u64..9,
        asked in 1_u64..12,
    ) {
        for style in STYLES {
            let scan = read(style, &Api { n_records, most, asked });
            prop_assert_eq!(scan.error_messages(), Vec::<String>::new(), "{}", style);
            prop_assert_eq!(ids(&scan), (0..n_records).collect::<Vec<_>>(), "{}", style);
        }
    }
}
