//! What may stand at a place of a text that somebody is typing.
//! In: a text, a place in it, and what is known of tables and functions. Out: candidates in the order
//! of their worth there: values, columns, tables, parameters, functions, and keywords last. The
//! grammar says what may stand there (`sessionql_grammar::place`), `scope` what is in sight. Nothing
//! here fails, asks a provider, or waits for long.

mod local;
mod scope;

use std::collections::HashSet;

use sessionql_grammar::ast::Span;
use sessionql_grammar::{Place, Typed, header, place, written_name};

use crate::functions::Function;
pub(crate) use local::LocalColumns;
use scope::{Scope, Wanted, look};

/// What SHOW tells beside settings.
const SHOWN: [&str; 5] = ["CONNECTIONS", "TABLES", "FUNCTIONS", "PARAMETERS", "PLUGINS"];

/// The types that a value can be cast to.
const TYPES: [&str; 12] = [
    "text",
    "int",
    "bigint",
    "float",
    "double",
    "numeric",
    "bool",
    "date",
    "time",
    "timestamp",
    "interval",
    "duration",
];

/// What may stand at a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completion {
    /// What of the text a candidate takes the place of.
    pub span: Span,
    /// What may stand there, the best first.
    pub candidates: Vec<Candidate>,
}

/// One thing that may stand at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// How it is written.
    pub text: String,
    /// What it is.
    pub kind: CandidateKind,
    /// What there is to say of it: a type, a signature, a doc.
    pub detail: Option<String>,
}

/// What a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CandidateKind {
    /// A value of the column that it is compared with.
    Value,
    /// A column, or a name that a SELECT gives.
    Column,
    /// A table, or the name of one before a dot.
    Table,
    /// A parameter.
    Parameter,
    /// A function.
    Function,
    /// A setting, a type, or what SHOW tells.
    Word,
    /// A word of the language.
    Keyword,
}

/// What completion asks about names.
pub(crate) trait Known {
    /// Returns the tables, the most useful first.
    fn tables(&self) -> Vec<KnownTable>;
    /// Returns the tables of a connection.
    fn tables_of(&self, connection: &str) -> Vec<KnownTable>;
    /// Returns the columns of a table.
    fn columns(&self, path: &[String]) -> Option<Vec<KnownColumn>>;
    /// Returns the functions.
    fn functions(&self) -> Vec<Function>;
    /// Returns the names of the settings.
    fn settings(&self) -> Vec<String>;
    /// Returns the names of the parameters that have values.
    fn parameters(&self) -> Vec<String>;
}

/// A table that may be named.
#[derive(Debug, Clone)]
pub(crate) struct KnownTable {
    /// Its name, in parts.
    pub(crate) path: Vec<String>,
    /// What a row is.
    pub(crate) doc: Option<String>,
}

/// A column that may be named.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownColumn {
    pub(crate) name: String,
    pub(crate) type_word: Option<&'static str>,
    pub(crate) doc: Option<String>,
    /// The values that it may have, if all are known.
    pub(crate) values: Vec<String>,
    /// Whether `*` leaves it out.
    pub(crate) is_hidden: bool,
}

impl KnownColumn {
    fn detail(&self) -> Option<String> {
        let words: Vec<_> = self.type_word.into_iter().chain(self.doc.as_deref()).collect();
        (!words.is_empty()).then(|| words.join("  "))
    }
}

/// Returns what may stand at a place of a text.
pub(crate) fn complete(text: &str, at: usize, known: &dyn Known) -> Completion {
    let place = place(text, at);
    let typed = place.span.of(text);
    let looked = place.statement.as_ref();
    let (wanted, scope) =
        looked.map(|(statement, marker)| look(statement, *marker, known)).unwrap_or_default();
    let mut found = Found {
        place: &place,
        known,
        typed: typed.trim_start_matches(['\'', '"', '$']).to_lowercase(),
        candidates: Vec::new(),
    };
    match &wanted {
        Wanted::Table(before) => found.tables(before, &scope),
        Wanted::Column { before, compared } => {
            found.values(compared.as_deref(), &scope);
            if !found.candidates.is_empty() {
                // Whoever compares with a column of few values mostly means one of these.
                found.parameters(text);
                return found.end();
            }
            if scope.takes_columns {
                found.columns(before, &scope);
            }
            if before.is_empty() {
                found.parameters(text);
                found.functions();
            }
        }
        Wanted::Shared => found.shared_columns(&scope),
        Wanted::Text { compared } => found.values(compared.as_deref(), &scope),
        Wanted::Show => {
            let shown = SHOWN.map(|word| found.cased(word));
            found.words(shown.into_iter().chain(known.settings()));
        }
        Wanted::Setting => found.words(known.settings()),
        Wanted::Type => found.words(TYPES.map(str::to_owned)),
        Wanted::Nothing => found.parameters(text),
    }
    found.keywords();
    found.end()
}

/// Collects the candidates that begin with what is typed.
struct Found<'a> {
    place: &'a Place,
    known: &'a dyn Known,
    /// What is typed, in lower case and without the sign that it begins with.
    typed: String,
    candidates: Vec<Candidate>,
}

impl Found<'_> {
    /// Returns what was found, each once.
    fn end(mut self) -> Completion {
        let mut seen = HashSet::new();
        self.candidates.retain(|candidate| seen.insert(candidate.text.clone()));
        Completion { span: self.place.span, candidates: self.candidates }
    }

    fn begins(&self, name: &str) -> bool {
        name.to_lowercase().starts_with(&self.typed)
    }

    fn add(&mut self, text: String, kind: CandidateKind, detail: Option<String>) {
        self.candidates.push(Candidate { text, kind, detail });
    }

    /// Returns a name as it is to be written in this place.
    fn name(&self, name: &str) -> String {
        match self.place.typed {
            Typed::Quoted => format!("\"{}\"", name.replace('"', "\"\"")),
            _ => written_name(name),
        }
    }

    /// Returns a keyword in the case of the statement.
    fn cased(&self, word: &str) -> String {
        let is_lower = match self.typed.is_empty() {
            true => self.place.is_lower,
            false => self.place.is_lower_typed,
        };
        if is_lower { word.to_lowercase() } else { word.to_owned() }
    }

    fn tables(&mut self, before: &[String], scope: &Scope) {
        let tables = match before {
            [] => {
                for (name, _) in &scope.ctes {
                    if self.begins(name) {
                        let detail = Some("the query of WITH".to_owned());
                        self.add(self.name(name), CandidateKind::Table, detail);
                    }
                }
                self.known.tables()
            }
            [connection] => self.known.tables_of(connection),
            _ => Vec::new(),
        };
        for table in tables {
            if self.begins(&table.path.join(".")) {
                let names: Vec<_> = table.path.iter().map(|part| self.name(part)).collect();
                self.add(names.join("."), CandidateKind::Table, table.doc);
            }
        }
    }

    /// Adds the values that the column may have that the place is compared with.
    fn values(&mut self, compared: Option<&[String]>, scope: &Scope) {
        let column = compared.and_then(|parts| scope.column(parts));
        let end = match self.place.typed {
            Typed::Text { is_closed: true } => "",
            _ => "'",
        };
        for value in column.map(|column| column.values.clone()).unwrap_or_default() {
            // A word that is typed without a quote is no begin of a text.
            if self.begins(&value) && (self.typed.is_empty() || self.place.typed != Typed::Word) {
                let text = format!("'{}{end}", value.replace('\'', "''"));
                self.add(text, CandidateKind::Value, None);
            }
        }
    }

    fn columns(&mut self, before: &[String], scope: &Scope) {
        if !before.is_empty() {
            let relations = scope.levels.iter().flatten();
            let called = relations.filter(|relation| relation.is_called(before));
            for column in called.flat_map(|relation| &relation.columns) {
                if self.begins(&column.name) {
                    self.add(self.name(&column.name), CandidateKind::Column, column.detail());
                }
            }
            return;
        }
        for level in &scope.levels {
            for relation in level {
                for column in &relation.columns {
                    let having = level.iter().filter(|relation| {
                        relation.columns.iter().any(|other| other.name == column.name)
                    });
                    // A name that two tables have means neither.
                    let text = match (having.count(), &relation.name) {
                        (2.., Some(table)) => {
                            format!("{}.{}", self.name(table), self.name(&column.name))
                        }
                        _ => self.name(&column.name),
                    };
                    if self.begins(&column.name) || text.to_lowercase().starts_with(&self.typed) {
                        self.add(text, CandidateKind::Column, column.detail());
                    }
                }
            }
        }
        for alias in &scope.aliases {
            if self.begins(alias) {
                let detail = Some("of this SELECT".to_owned());
                self.add(self.name(alias), CandidateKind::Column, detail);
            }
        }
        for name in scope.levels.iter().flatten().filter_map(|relation| relation.name.as_ref()) {
            if self.begins(name) {
                self.add(format!("{}.", self.name(name)), CandidateKind::Table, None);
            }
        }
    }

    /// Adds the columns that two tables have.
    fn shared_columns(&mut self, scope: &Scope) {
        let relations = scope.levels.first().into_iter().flatten();
        let mut seen = HashSet::new();
        for column in relations.flat_map(|relation| &relation.columns) {
            if !seen.insert(&column.name) && self.begins(&column.name) {
                self.add(self.name(&column.name), CandidateKind::Column, column.detail());
            }
        }
    }

    /// Adds the parameters that have values and those that the text declares.
    fn parameters(&mut self, text: &str) {
        let is_typed = self.place.typed == Typed::Parameter;
        if !self.place.takes_parameter || !(is_typed || self.typed.is_empty()) {
            return;
        }
        let declared = header(text).map(|header| header.parameters).unwrap_or_default();
        for parameter in &declared {
            if self.begins(&parameter.name.value) {
                let detail = match &parameter.doc {
                    Some(doc) => format!("{}  {doc}", parameter.data_type),
                    None => parameter.data_type.to_string(),
                };
                let text = format!("${}", parameter.name.value.to_lowercase());
                self.add(text, CandidateKind::Parameter, Some(detail));
            }
        }
        for name in self.known.parameters() {
            if self.begins(&name) {
                self.add(format!("${name}"), CandidateKind::Parameter, None);
            }
        }
    }

    /// Adds functions; all of them only hide what else there is.
    fn functions(&mut self) {
        if self.typed.is_empty() || self.place.typed != Typed::Word {
            return;
        }
        for Function { name, signature, .. } in self.known.functions() {
            let is_word = |c: char| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit();
            if self.begins(&name) && name.chars().all(is_word) {
                self.add(format!("{name}("), CandidateKind::Function, Some(signature));
            }
        }
    }

    fn words(&mut self, words: impl IntoIterator<Item = String>) {
        for word in words {
            if self.begins(&word) {
                self.add(word, CandidateKind::Word, None);
            }
        }
    }

    fn keywords(&mut self) {
        for word in &self.place.keywords {
            let word = match *word {
                "GROUP" | "ORDER" | "PARTITION" => self.cased(&format!("{word} BY")),
                word => self.cased(word),
            };
            self.add(word, CandidateKind::Keyword, None);
        }
    }
}
