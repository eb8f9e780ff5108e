//! All functions that a query can call: our own as `described` has them, the engine's as it describes
//! itself. SHOW FUNCTIONS, help and completion read this list and no other.

use datafusion::execution::SessionState;
use datafusion::logical_expr::Documentation;

use super::{DESCRIBED, INTERNAL};

/// A function for people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// `scalar`, `aggregate`, `window` or `table`.
    pub kind: &'static str,
    /// How it is called.
    pub signature: String,
    /// What it gives, in one line; empty if nothing is said of it.
    pub doc: String,
}

/// Returns the functions, in the order of their names.
pub(crate) fn listed(state: &SessionState) -> Vec<Function> {
    let own = DESCRIBED.iter().map(|own| Function {
        name: own.name.to_owned(),
        kind: own.kind,
        signature: own.signature.to_owned(),
        doc: own.doc.to_owned(),
    });
    let mut functions: Vec<Function> = own.collect();
    let mut add = |name: &String, kind: &'static str, documentation: Option<&Documentation>| {
        let is_known = DESCRIBED.iter().any(|own| own.name == name);
        if is_known
            || INTERNAL.contains(&name.as_str())
            || super::OPERATORS.contains(&name.as_str())
        {
            return;
        }
        let signature = documentation.map(|of| one_line(&of.syntax_example));
        let doc = documentation.map(|of| first_sentence(&of.description));
        functions.push(Function {
            name: name.clone(),
            kind,
            signature: signature.unwrap_or_else(|| format!("{name}(…)")),
            doc: doc.unwrap_or_default(),
        });
    };
    for (name, function) in state.scalar_functions() {
        add(name, "scalar", function.documentation());
    }
    for (name, function) in state.aggregate_functions() {
        add(name, "aggregate", function.documentation());
    }
    for (name, function) in state.window_functions() {
        add(name, "window", function.documentation());
    }
    functions.sort();
    functions
}

/// Returns the first sentence of a description, on one line.
fn first_sentence(description: &str) -> String {
    let paragraph = description.trim().split("\n\n").next().unwrap_or_default();
    let line = one_line(paragraph);
    match line.find(". ") {
        Some(end) => line[..=end].to_owned(),
        None => line,
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
