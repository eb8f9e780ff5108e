//! Rules on options: wrong ones are refused with words, and all of them at once.

use serde_json::{Value, json};
use sessionql_plugin_abi::message::{Connected, ConnectionOption, Io, Manifest, OptionType};
use sessionql_plugin_abi::{ErrorDocument, Reason, ffi};

use super::call::{self, Quiet};
use super::{Rule, Seen, Subject, Sum, Unkept, ran};
use crate::testing;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "options/refusals",
        text: "any value of an option's type is accepted, or refused with the code `config` and words",
        look: refusals,
    },
    Rule {
        id: "options/all-at-once",
        text: "all wrong options are told of at once, each by its name in backticks",
        look: all_at_once,
    },
];

/// Values of an option's type that many options cannot have.
fn odd_values(option: &ConnectionOption) -> Vec<Value> {
    match option.option_type {
        // The host lets nothing pass but the values that are declared.
        OptionType::Text if !option.values.is_empty() => {
            option.values.iter().map(|value| json!(value)).collect()
        }
        OptionType::Text => {
            ["", " ", "no/such value", "\u{0}", "ß😀"].map(|text| json!(text)).into()
        }
        OptionType::Int => [i64::MIN, -1, 0, 1, i64::MAX].map(|n| json!(n)).into(),
        OptionType::Bool => vec![json!(false), json!(true)],
        OptionType::Duration => [0, 1, i64::MAX].map(|us| json!(us)).into(),
        OptionType::TextList => vec![json!([]), json!([""]), json!(["no/such value", "\u{0}"])],
    }
}

fn seen_by_plugin(manifest: &Manifest) -> impl Iterator<Item = &ConnectionOption> {
    manifest.options.iter().filter(|option| !option.secret || manifest.io == Io::Own)
}

/// Connects with some options replaced. `None` if the plugin accepts them.
fn refusal(
    subject: &Subject,
    manifest: &Manifest,
    replaced: &[(&str, Value)],
) -> Result<Option<ErrorDocument>, Unkept> {
    let mut options = call::options(subject, manifest);
    for (name, value) in replaced {
        options[*name] = value.clone();
    }
    let document = options.to_string();
    let (ended, _connection) =
        call::loaded(subject)?.connect(document.as_bytes(), &mut Quiet::default());
    let with: Vec<_> = replaced.iter().map(|(name, value)| format!("`{name} = {value}`")).collect();
    let with = with.join(", ");
    match ended.code {
        ffi::OK => match testing::read::<Connected>(&ended) {
            Ok(_) => Ok(None),
            Err(errors) => Err(Unkept::broken(format!("with {with}: {}", call::said(&errors)))),
        },
        ffi::ERROR => {
            let errors = match (ended.replies.as_slice(), testing::read::<Connected>(&ended)) {
                ([reply], Err(errors)) => match ran::error_fault(reply) {
                    None => errors,
                    Some(fault) => return Err(Unkept::broken(format!("with {with}: {fault}"))),
                },
                (replies, _) => {
                    let n = replies.len();
                    return Err(Unkept::broken(format!("with {with}: an error with {n} replies")));
                }
            };
            match errors.errors.iter().find(|error| error.code != Reason::Config) {
                None => Ok(Some(errors)),
                Some(error) => {
                    let (code, message) = (error.code, &error.message);
                    Err(Unkept::broken(format!("with {with} the code is `{code}`: {message}")))
                }
            }
        }
        code => Err(Unkept::broken(format!("with {with} `connect` returned code {code}"))),
    }
}

fn refusals(subject: &Subject) -> Seen {
    let manifest = call::describe(subject)?;
    let mut sum = Sum::default();
    for option in seen_by_plugin(&manifest) {
        for value in odd_values(option) {
            sum.add(refusal(subject, &manifest, &[(&option.name, value)]).map(|_| ()));
        }
    }
    sum.end()
}

fn all_at_once(subject: &Subject) -> Seen {
    let manifest = call::describe(subject)?;
    call::open(subject)?;
    let mut wrong = Vec::new();
    // Values that are declared are checked by the host; what is wrong with them is wrong together
    // with others.
    for option in seen_by_plugin(&manifest).filter(|option| option.values.is_empty()) {
        let name = option.name.as_str();
        let is_named = |errors: &ErrorDocument| call::said(errors).contains(&format!("`{name}`"));
        for value in odd_values(option) {
            // What is broken here is told of by the rule above.
            let refused = refusal(subject, &manifest, &[(name, value.clone())]).unwrap_or_default();
            // A value may be refused because of another option; it is wrong only if it is named.
            if refused.as_ref().is_some_and(is_named) {
                wrong.push((name, value));
                break;
            }
            if let Some(errors) = refused {
                let said = call::said(&errors);
                let seen =
                    format!("`{name} = {value}` is refused without naming the option: {said}");
                return Err(Unkept::broken(seen));
            }
        }
    }
    if wrong.len() < 2 {
        return Err(Unkept::needs("two options with values that the plugin refuses"));
    }
    let errors = refusal(subject, &manifest, &wrong)?;
    let said = errors.as_ref().map(call::said).unwrap_or_default();
    let is_told = |name: &str| said.contains(&format!("`{name}`"));
    let untold: Vec<_> = wrong.iter().filter(|(name, _)| !is_told(name)).collect();
    if untold.is_empty() {
        return Ok(());
    }
    let untold: Vec<_> = untold.iter().map(|(name, _)| format!("`{name}`")).collect();
    let (n_wrong, untold) = (wrong.len(), untold.join(", "));
    Err(Unkept::broken(format!("of {n_wrong} wrong options {untold} are not told of: {said}")))
}
