//! How an explanation is laid out.

use super::*;
use crate::explain::Order;

fn scan(requests: Vec<Preview>) -> Explanation {
    let scan = ScanExplanation {
        connection: "c".to_owned(),
        table: "t".to_owned(),
        requests,
        order: Some(Order { sql: "start DESC".to_owned(), n_kept: Some(10) }),
        ..ScanExplanation::default()
    };
    let plan = Step { text: "read c.t".to_owned(), ..Step::default() };
    Explanation { scans: vec![scan], plan, analysis: None }
}

fn preview(query: &str, body: Option<String>) -> Preview {
    let (method, path) = ("POST".to_owned(), "/search".to_owned());
    Preview { method, path, query: query.to_owned(), body }
}

#[test]
fn lines_fit_the_screen() {
    let query = format!("startDate=2026-03-14T11:50:00.000Z&q={}&status=ACTIVE", "x".repeat(90));
    let users: Vec<String> = (0..42).map(|n| format!("user{n}@example.com")).collect();
    let body = serde_json::json!({ "filter": { "users": users, "limit": 28 } }).to_string();
    let explanation = scan(vec![preview(&query, Some(body))]);
    for width in [60, 80, 100] {
        let lines = explanation.lines(width);
        for line in &lines {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        assert!(lines.concat().contains("\"… 37 more\""), "{lines:?}");
    }
    let expected = r#"c.t
  requests: 1, and one more for each further page
    POST /search?startDate=2026-03-14T11:50:00.000Z
        &q=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
        &status=ACTIVE
      {"filter":{"users":["user0@example.com",
          "user1@example.com","user2@example.com",
          "user3@example.com","user4@example.com",
          "… 37 more"],"limit":28}}
  order: start DESC; made here, so all rows are read, then
      the first 10 are kept

plan
  read c.t"#;
    assert_eq!(explanation.lines(60).join("\n"), expected);
}

#[test]
fn many_requests_are_counted() {
    let explanation = scan(vec![preview("q=1", None); 45]);
    let lines = explanation.lines(80);
    assert_eq!(lines.iter().filter(|line| line.contains("POST")).count(), 8);
    assert!(lines.contains(&"    … 37 more".to_owned()), "{lines:?}");
}

#[test]
fn what_a_plugin_says_cannot_move_the_cursor() {
    let mut explanation = scan(Vec::new());
    explanation.scans[0].notes = vec!["a\u{1b}[2Jb".to_owned()];
    let text = explanation.lines(80).join("\n");
    assert!(text.contains(r"note: a\u{1b}[2Jb"), "{text}");
}

#[test]
fn times_and_numbers_are_short() {
    let of = |micros| shown_time(Duration::from_micros(micros));
    assert_eq!(
        [of(0), of(40), of(950), of(1_234), of(1_250_000)],
        ["0ms", "0.1ms", "0.9ms", "1ms", "1.250s"]
    );
    assert_eq!([grouped(1), grouped(1_000), grouped(1_234_567)], ["1", "1,000", "1,234,567"]);
    assert_eq!([count(1, "row"), count(0, "row")], ["1 row", "0 rows"]);
}
