//! Holds what the exporter does with calls: codes, replies, panics, odd pointers.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

use serde_json::{Value, json};
use sessionql_plugin_sdk::message::{HttpRequest, Manifest, Pattern, Report, Request, ScanRequest};
use sessionql_plugin_sdk::testing::{FakeHost, Reply};
use sessionql_plugin_sdk::{
    Error, ErrorDocument, Host, Level, Options, Provider, Reason, Result, Table, WireError,
    export_provider,
};

/// Does in a scan what the slice says.
struct Obedient;

impl Provider for Obedient {
    fn manifest() -> Manifest {
        Manifest {
            name: "obedient".to_owned(),
            tables: vec![Table::new("t", "Nothing.").manifest()],
            patterns: vec![Pattern::get("/things/{id}")],
            ..Manifest::default()
        }
    }

    fn connect(options: &Options) -> Result<Self, ErrorDocument> {
        assert_eq!(options, &Options::default());
        Ok(Self)
    }

    fn scan(&self, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
        match scan.slice.as_str().unwrap_or_default() {
            "stop" => Err(Error::Stopped),
            "cancel" => Err(Error::Cancelled),
            "fail" => Err(WireError::new(Reason::Capped, "too many").into()),
            "log" => host.log(Level::Info, "hello").map(|()| Report::default()),
            path => {
                let response = host.http(&HttpRequest::get(path).with_query("q", "a b"))?;
                let date = response.header("date").unwrap_or("no date").to_owned();
                let notes = vec![format!("{date} {}", response.text()?)];
                Ok(Report { notes, ..Report::default() })
            }
        }
    }
}

export_provider!(Obedient);

fn host() -> FakeHost {
    FakeHost::connect(sessionql_plugin_v1, json!({})).unwrap()
}

#[test]
fn a_plugin_that_plans_nothing_reads_everything_in_one_slice() {
    let plan = host().plan(&Request::default()).unwrap();
    assert_eq!(
        (plan.slices, plan.verdicts, plan.gaps),
        (vec![Value::Null], Vec::new(), Vec::new())
    );
}

#[test]
fn endings_have_their_codes() {
    let end =
        |slice: &str| host().scan(&Request::default(), &json!(slice), |_| Reply::status(200, ""));
    assert_eq!(end("stop").code, 0);
    assert_eq!(end("cancel").code, 2);
    let failed = end("fail");
    assert_eq!(failed.code, 1);
    assert_eq!(failed.outcome.unwrap_err().errors, [WireError::new(Reason::Capped, "too many")]);
    assert_eq!(end("log").lines, ["hello"]);
}

#[test]
fn answers_come_with_headers_and_whole_bodies() {
    let body = "0123456789".repeat(100);
    let reply = Reply {
        headers: vec![("date".to_owned(), "today".to_owned())],
        ..Reply::status(201, body.as_str())
    };
    let scan = host().scan(&Request::default(), &json!("/things/5"), |_| reply.clone());
    assert_eq!(scan.request_lines(), ["GET /things/5?q=a b"]);
    assert_eq!(scan.outcome.unwrap().notes, [format!("today {body}")]);
}

#[test]
fn what_the_host_refuses_is_passed_on() {
    let scan = host().scan(&Request::default(), &json!("/things"), |_| Reply::status(200, ""));
    assert_eq!(scan.error_messages(), ["no pattern for `GET /things?q=a b`"]);
    assert!(scan.requests.is_empty());
}

#[test]
#[should_panic(expected = "of the test itself")]
fn a_panic_of_the_test_is_not_the_plugins() {
    host().scan(&Request::default(), &json!("/things/5"), |_| panic!("of the test itself"));
}

#[test]
fn documents_that_cannot_be_read_are_errors() {
    let request = Request { learned: json!("x"), ..Request::default() };
    assert!(host().plan(&request).is_ok());
    let error = Options::parse(b"[]").unwrap_err();
    assert_eq!(error.code, Reason::Config);
}
