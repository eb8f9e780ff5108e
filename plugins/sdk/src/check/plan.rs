//! Rules on `plan`: it answers whatever the manifest allows, purely, and previews what is sent.

use serde_json::{Value, json};
use sessionql_plugin_abi::message::{HttpRequest, Request};

use super::call::{self, Opened, Quiet};
use super::ran::Acts;
use super::subject::{Told, unreachable};
use super::{Rule, Seen, Subject, Sum, Unkept, candidates, truth};
use crate::testing;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "plan/no-panic",
        text: "no call panics, also not on documents of another shape",
        look: no_panic,
    },
    Rule {
        id: "plan/answers",
        text: "`plan` answers every filter that the manifest declares, with one verdict at most",
        look: answers,
    },
    Rule { id: "plan/pure", text: "`plan` answers the same to the same request", look: pure },
    Rule {
        id: "plan/previews",
        text: "what a scan sends first was previewed, if anything was",
        look: previews,
    },
];

/// Returns the requests that are asked of each table: for all columns, for few, and with filters.
fn requests(opened: &Opened) -> Vec<Request> {
    let mut requests = Vec::new();
    for table in opened.tables() {
        let whole = opened.whole(table);
        requests.push(opened.request(table, []));
        requests.push(Request { limit: Some(1), ..whole.clone() });
        for filter in candidates::filters(table, &[]).into_iter().flatten() {
            requests.push(Request { filters: vec![filter], ..whole.clone() });
        }
        let one_of_each =
            candidates::filters(table, &[]).into_iter().map(|mut group| group.remove(0));
        requests.push(Request { filters: one_of_each.collect(), ..whole.clone() });
        requests.push(whole);
    }
    requests
}

fn about(request: &Request) -> String {
    let filters: Vec<String> = request.filters.iter().map(truth::shown).collect();
    match filters.as_slice() {
        [] => format!("table `{}` without filters", request.table),
        filters => format!("table `{}` with `{}`", request.table, filters.join(" AND ")),
    }
}

fn no_panic(subject: &Subject) -> Seen {
    let panic = |said: &str| Unkept::broken(said.to_owned());
    let loaded = call::loaded(subject)?;
    let mut sum = Sum::default();
    for document in ["", "null", "[]", "{", "{\"\u{0}\": 1}", "\u{FFFD}"] {
        let (ended, _) = loaded.connect(document.as_bytes(), &mut Quiet::default());
        if let Err(errors) = testing::read::<Value>(&ended)
            && call::is_panic(&errors)
        {
            sum.see(format!("`connect` with `{document}`: {}", call::said(&errors)));
        }
    }
    if !sum.broken.is_empty() {
        return sum.end();
    }
    let opened = call::open(subject)?;
    for request in requests(&opened) {
        if let Err(errors) = opened.ask(&request)
            && call::is_panic(&errors)
        {
            return Err(panic(&format!("{}: {}", about(&request), call::said(&errors))));
        }
    }
    let strange = [
        json!(null),
        json!({}),
        json!({"table": "no such table", "columns": [], "now": "", "clock": ""}),
        json!({"table": "no such table", "columns": ["no such column"], "now": "x", "clock": "x", "filters": []}),
    ];
    for document in &strange {
        let ended = opened.connection.plan(document.to_string().as_bytes(), &mut Quiet::default());
        if let Err(errors) = testing::read::<Value>(&ended)
            && call::is_panic(&errors)
        {
            return Err(panic(&format!("`plan` of `{document}`: {}", call::said(&errors))));
        }
    }
    for table in opened.tables() {
        let mut documents = vec![json!(null), json!({})];
        let slices = [json!(null), json!({}), json!([]), json!("x"), json!(7), json!({"n": null})];
        let whole = opened.whole(table);
        documents.extend(slices.map(|slice| json!({"request": whole, "slice": slice})));
        for document in documents {
            let acts = Acts::answering(|_, _| Told::Failure(unreachable()));
            let ran = opened.scan_document(document.to_string().as_bytes(), acts);
            if let Err(errors) = ran.report()
                && call::is_panic(&errors)
            {
                let slice = &document["slice"];
                return Err(panic(&format!("`scan` of slice `{slice}`: {}", call::said(&errors))));
            }
        }
    }
    Ok(())
}

fn answers(subject: &Subject) -> Seen {
    let opened = call::open(subject)?;
    let mut sum = Sum::default();
    for request in requests(&opened) {
        let about = about(&request);
        match opened.ask(&request) {
            Err(errors) if call::is_panic(&errors) => {
                return Err(Unkept::needs("plans without a panic (see `plan/no-panic`)"));
            }
            Err(errors) => sum.see(format!("{about} is not planned: {}", call::said(&errors))),
            Ok(plan) if plan.verdicts.len() > request.filters.len() => {
                let (given, asked) = (plan.verdicts.len(), request.filters.len());
                sum.see(format!("{about} has {given} verdicts on {asked} filters"));
            }
            Ok(_) => {}
        }
    }
    sum.end()
}

fn pure(subject: &Subject) -> Seen {
    let opened = call::open(subject)?;
    let mut sum = Sum::default();
    let requests = requests(&opened);
    let first: Vec<_> = requests.iter().map(|request| opened.plan(request)).collect();
    for (request, first) in requests.iter().zip(first) {
        let (first, second) = (first?, opened.plan(request)?);
        if first != second {
            sum.see(format!("{}: two plans differ", about(request)));
        }
    }
    sum.end()
}

fn previews(subject: &Subject) -> Seen {
    let opened = call::open(subject)?;
    let mut sum = Sum::default();
    for request in requests(&opened) {
        let plan = opened.plan(&request)?;
        for preview in &plan.previews {
            if !opened.patterns().iter().any(|pattern| testing::matches(pattern, preview)) {
                let line = testing::request_line(preview);
                sum.see(format!("{}: no pattern declares the preview `{line}`", about(&request)));
            }
        }
        let Some(slice) = plan.slices.first().filter(|_| !plan.previews.is_empty()) else {
            continue;
        };
        let acts = Acts::answering(|_, _| Told::Failure(unreachable()));
        let ran = opened.scan(&request, slice, acts);
        // What is not declared is not sent, and told of by `scan/contract`.
        let is_declared = |sent: &&HttpRequest| {
            opened.patterns().iter().any(|pattern| testing::matches(pattern, sent))
        };
        let Some(sent) = ran.requests.first().filter(is_declared) else { continue };
        if !plan.previews.contains(sent) {
            let (sent, previewed) =
                (testing::request_line(sent), testing::request_line(&plan.previews[0]));
            let about = about(&request);
            sum.see(format!("{about} sends `{sent}` first, previewed is `{previewed}`"));
        }
    }
    sum.end()
}
