//! An API, and a plugin that reads it, honestly or guilty of what its option `crime` says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use sessionql_plugin_sdk::arrow_array::{ArrayRef, Int64Array, RecordBatch};
use sessionql_plugin_sdk::check::Data;
use sessionql_plugin_sdk::filters::texts;
use sessionql_plugin_sdk::message::{
    Connected, ConnectionOption, FilterOp, HttpRequest, Manifest, OptionType, Pattern, Plan,
    Report, Request, ScanRequest, Verdict,
};
use sessionql_plugin_sdk::testing::Reply;
use sessionql_plugin_sdk::{
    Column, Cursors, Error, ErrorDocument, Host, Options, Provider, Reason, Result, Table,
    Timestamp, WireError,
};

/// Answers as an API with pages and a filter that ignores case.
pub(crate) fn api(data: &Data, request: &HttpRequest) -> Reply {
    let get = |wanted: &str| {
        request.query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    };
    let is_asked = |user: &Value| {
        get("user")
            .is_none_or(|asked| user.as_str().is_some_and(|user| user.eq_ignore_ascii_case(asked)))
    };
    let records: Vec<Value> =
        (0..data.n_records).map(record).filter(|record| is_asked(&record["user"])).collect();
    let begin: usize = get("cursor").map_or(0, |cursor| cursor.parse().unwrap());
    let begin = begin.min(records.len());
    let end = (begin + data.page_rows).min(records.len());
    let next = (end < records.len()).then(|| end.to_string());
    Reply::json(&json!({ "sessions": records[begin..end], "next": next }))
}

fn record(n: usize) -> Value {
    let users = [json!("ann"), json!("Bob"), json!("bob"), json!(null), json!("ann")];
    let start = Timestamp::parse("2026-03-10T08:00:00Z").unwrap() + 60_000_000 * n as i64;
    let end = (!n.is_multiple_of(3)).then(|| (start + 1_800_000_000).to_rfc3339());
    let status = if end.is_some() { "COMPLETED" } else { "ACTIVE" };
    json!({
        "id": format!("s{n}"), "user": users[n % users.len()], "start": start.to_rfc3339(),
        "end": end, "status": status, "n": n,
    })
}

fn table() -> Table {
    Table::new("sessions", "One session.")
        .main()
        .time("start", "end")
        .primary_key(["id"])
        .page_size(4)
        .columns([
            Column::text("id", "id").required().doc("The id."),
            Column::text("user", "user").filters([FilterOp::Eq, FilterOp::In]).doc("Who."),
            Column::timestamp("start", "start").doc("When it began."),
            Column::timestamp("end", "end").doc("When it ended."),
            Column::text("status", "status").doc("Whether it is over."),
            Column::int64("n", "n").filters([FilterOp::Range]).doc("Its number."),
        ])
}

/// What a connection does.
#[derive(Debug)]
pub(crate) struct Guilty {
    crime: String,
    n_scans: AtomicUsize,
}

static N_CONNECTED: AtomicUsize = AtomicUsize::new(0);
static N_PLANNED: AtomicUsize = AtomicUsize::new(0);

impl Guilty {
    pub(crate) fn manifest() -> Manifest {
        let option = |name: &str, option_type| ConnectionOption {
            name: name.to_owned(),
            option_type,
            ..ConnectionOption::default()
        };
        Manifest {
            name: "guilty".to_owned(),
            options: vec![
                option("crime", OptionType::Text),
                option("kind", OptionType::Text),
                option("page", OptionType::Int),
            ],
            tables: vec![table().manifest()],
            patterns: vec![Pattern::get("/sessions")],
            ..Manifest::default()
        }
    }

    pub(crate) fn connect(options: &Options) -> Result<Self, ErrorDocument> {
        let crime = options.text("crime").unwrap_or_default().to_owned();
        let code = if crime == "wrong_code" { Reason::ProviderError } else { Reason::Config };
        let mut errors = Vec::new();
        if options.int("page").is_none_or(|page| page < 1) {
            errors.push(WireError::new(code, "option `page` must be 1 or more"));
        }
        if options.text("kind") != Some("all") {
            errors.push(WireError::new(code, "option `kind` must be `all`"));
        }
        if crime == "one_error" {
            errors.truncate(1);
        }
        match errors.as_slice() {
            [] => Ok(Self { crime, n_scans: AtomicUsize::new(0) }),
            _ => Err(ErrorDocument { errors }),
        }
    }

    pub(crate) fn connected(&self) -> Connected {
        let mut table = table().manifest();
        match self.crime.as_str() {
            "changes_its_mind" => {
                let n = N_CONNECTED.fetch_add(1, Ordering::Relaxed);
                return Connected { notes: vec![n.to_string()], ..Connected::default() };
            }
            "odd_name" => table.name = "Sessions".to_owned(),
            "id_may_be_null" => table.columns[0].nullable = true,
            "like_of_numbers" => table.columns[5].filters = vec![FilterOp::Like],
            "never_null" => table.columns[3].nullable = false,
            _ => return Connected::default(),
        }
        Connected { tables: Some(vec![table]), ..Connected::default() }
    }

    pub(crate) fn plan(&self, request: &Request) -> Result<Plan, ErrorDocument> {
        let mut plan = Plan::default();
        let mut user = None;
        for filter in &request.filters {
            let asked = texts(filter, "user");
            if self.crime == "refuses_in" && asked.as_ref().is_some_and(|users| users.len() > 1) {
                return Err(WireError::new(Reason::PluginError, "no IN, please").into());
            }
            let verdict = match (asked.as_deref(), self.crime.as_str()) {
                (Some([name]), "calls_it_exact") => {
                    user = Some((*name).to_owned());
                    Verdict::Exact
                }
                (Some([name]), "asks_for_less") => {
                    user = Some(format!("{name}x"));
                    Verdict::Inexact
                }
                (_, "forgets_the_second") if request.filters.len() > 1 => Verdict::Exact,
                (Some([name]), _) => {
                    user = Some((*name).to_owned());
                    Verdict::Inexact
                }
                _ => Verdict::Unsupported,
            };
            plan.verdicts.push(verdict);
        }
        let limit = request.limit.filter(|_| self.crime == "obeys_the_limit");
        plan.previews = vec![first(user.as_deref())];
        plan.slices = vec![json!({ "user": user, "limit": limit })];
        match self.crime.as_str() {
            "too_many_verdicts" => plan.verdicts.push(Verdict::Unsupported),
            "counts_plans" => {
                plan.notes.push(N_PLANNED.fetch_add(1, Ordering::Relaxed).to_string());
            }
            "other_preview" => plan.previews = vec![first(Some("nobody"))],
            _ => {}
        }
        Ok(plan)
    }

    pub(crate) fn scan(&self, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
        let n_before = self.n_scans.fetch_add(1, Ordering::SeqCst);
        let report = self.read(host, scan, n_before);
        self.n_scans.fetch_sub(1, Ordering::SeqCst);
        report
    }

    fn is(&self, crime: &str) -> bool {
        self.crime == crime
    }

    fn read(&self, host: &Host<'_>, scan: &ScanRequest, n_before: usize) -> Result<Report> {
        let first = first(scan.slice["user"].as_str());
        if self.is("undeclared_request") {
            host.http(&HttpRequest::get("/secrets"))?;
        }
        let table = self.table(scan);
        let mut rows = table.rows(host, &scan.request)?;
        let mut cursors = Cursors::default();
        let (mut next, mut is_first, mut n_read) = (first.clone(), true, 0);
        loop {
            let response = match host.http(&next) {
                Err(Error::Failed(_)) if self.is("swallows_failures") => return rows.report(),
                Err(Error::Failed(_)) if self.is("renames_failures") => {
                    return Err(Error::plugin("something failed"));
                }
                Err(Error::Cancelled) if self.is("asks_again") => host.http(&next)?,
                response => response?,
            };
            if self.is("one_at_a_time") && n_before > 0 {
                return rows.report();
            }
            if response.status() != 200 && self.is("swallows_refusals") {
                return rows.report();
            }
            let len = response.body_len();
            if len < 3 && self.is("swallows_emptiness") {
                return rows.report();
            }
            let page = match rows.decode(response, "sessions") {
                Err(Error::Failed(_))
                    if (120..50_000).contains(&len) && self.is("swallows_halves") =>
                {
                    return Ok(Report::default());
                }
                Err(Error::Stopped) if self.is("goes_on") => {
                    host.http(&next)?;
                    return rows.report();
                }
                Err(Error::Cancelled) if self.is("asks_once_more") => {
                    host.http(&next)?;
                    return rows.report();
                }
                page => page?,
            };
            let n_page = page.n_records as u64;
            n_read += n_page;
            if self.is("always_fails") {
                return Err(Error::plugin("it always fails"));
            }
            if n_page == 0
                && self.is(if is_first { "fails_on_nothing" } else { "fails_on_an_empty_page" })
            {
                return Err(Error::plugin("there is nothing"));
            }
            if self.is("twice") && is_first {
                rows.decode(host.http(&next)?, "sessions")?;
            }
            is_first = false;
            let is_enough = scan.slice["limit"].as_u64().is_some_and(|limit| n_read >= limit);
            if is_enough || (n_page < 4 && self.is("ends_at_a_short_page")) {
                return rows.report();
            }
            let cursor = page.text("next")?.map(str::to_owned);
            let cursor = match self.crime.as_str() {
                "follows_for_ever" => cursor,
                _ => cursors.follow(cursor.as_deref())?,
            };
            let Some(cursor) = cursor else { return self.report(host, rows.report()?) };
            next = first.clone().with_query("cursor", cursor);
        }
    }

    /// Returns how records are read into rows.
    fn table(&self, scan: &ScanRequest) -> Table {
        let user = || Column::text("user", "user");
        match self.crime.as_str() {
            "shouts_alone" if scan.request.columns.len() == 1 => {
                read_as(user().upper_case(), "start", "end", Column::text("status", "status"))
            }
            "active_with_end" => {
                read_as(user(), "start", "end", Column::constant("status", "ACTIVE"))
            }
            "backwards" => read_as(user(), "end", "start", Column::text("status", "nowhere")),
            _ => table(),
        }
    }

    /// Ends a scan, with whatever is wrong about it.
    fn report(&self, host: &Host<'_>, report: Report) -> Result<Report> {
        if self.is("other_columns") {
            let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
            host.emit(RecordBatch::try_from_iter([("surplus", numbers)]).unwrap())?;
        }
        let learned = self.is("learns_too_much").then(|| json!("x".repeat(5000)));
        Ok(Report { learned, ..report })
    }
}

/// Returns the table with some of its columns read otherwise.
fn read_as(user: Column, start: &str, end: &str, status: Column) -> Table {
    let (start, end) = (Column::timestamp("start", start), Column::timestamp("end", end));
    let (id, n) = (Column::text("id", "id").required(), Column::int64("n", "n"));
    Table::new("sessions", "One session.").main().columns([id, user, start, end, status, n])
}

fn first(user: Option<&str>) -> HttpRequest {
    let request = HttpRequest::get("/sessions");
    match user {
        Some(user) => request.with_query("user", user),
        None => request,
    }
}

/// Makes a plugin of its own of what a module changes.
macro_rules! plugin {
    ($name:ident, $manifest:expr, $before_scan:expr) => {
        pub(crate) mod $name {
            use super::super::*;

            pub(crate) struct Changed(Guilty);

            impl Provider for Changed {
                fn manifest() -> Manifest {
                    let change: fn(Manifest) -> Manifest = $manifest;
                    change(Guilty::manifest())
                }

                fn connect(options: &Options) -> Result<Self, ErrorDocument> {
                    Guilty::connect(options).map(Self)
                }

                fn connected(&self) -> Connected {
                    self.0.connected()
                }

                fn plan(&self, request: &Request) -> Result<Plan, ErrorDocument> {
                    self.0.plan(request)
                }

                fn scan(&self, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
                    let before: fn(&ScanRequest) = $before_scan;
                    before(scan);
                    self.0.scan(host, scan)
                }
            }

            sessionql_plugin_sdk::export_provider!(Changed);
        }
    };
}

static N_DESCRIBED: AtomicUsize = AtomicUsize::new(0);

pub(crate) mod changed {
    plugin!(honest, |manifest| manifest, |_| {});
    plugin!(
        manifests,
        |manifest| {
            let doc = N_DESCRIBED.fetch_add(1, Ordering::Relaxed).to_string();
            Manifest { doc, ..manifest }
        },
        |_| {}
    );
    plugin!(
        defaults,
        |mut manifest| {
            manifest.options[2].default = Some(json!("four"));
            manifest
        },
        |_| {}
    );
    plugin!(
        patterns,
        |mut manifest| {
            manifest
                .patterns
                .push(Pattern { method: "PUT".to_owned(), ..Pattern::get("/sessions") });
            manifest
        },
        |_| {}
    );
    plugin!(panics, |manifest| manifest, |scan| assert!(scan.slice.is_object(), "no object"));
    plugin!(leaks, |manifest| manifest, |_| {
        Box::leak(vec![1_u8; 4096].into_boxed_slice());
    });
}
