//! Masks the values that one statement compares with sensitive columns, such as session ids.
//! In: a table and what is asked of it. Out: text that shows none of these values.
//! Belongs to a scan, for another statement may show the same text as a name.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use sessionql_plugin_abi::message::{Bound, Filter, Table, Value};

use super::redact::{MASK, SHORTEST_SECRET_BYTES, forms_of};

/// The values of one scan, each in the forms in which it could show up. Values shorter than four
/// bytes are masked only where they stand alone: within a text they would be found everywhere.
#[derive(Clone, Default)]
pub struct Sensitive {
    values: Arc<BTreeSet<String>>,
    /// The longest first.
    forms: Arc<Vec<String>>,
}

impl Sensitive {
    /// Returns what `filters` compare with the sensitive columns of `table`, and these `texts`.
    pub fn new<'a>(
        table: &Table,
        filters: impl IntoIterator<Item = &'a Filter>,
        texts: impl IntoIterator<Item = String>,
    ) -> Self {
        let is_sensitive =
            |name: &str| table.columns.iter().any(|column| column.name == name && column.sensitive);
        let filters = filters.into_iter().filter(|filter| column(filter).is_some_and(is_sensitive));
        Self::of_values(filters.flat_map(values).chain(texts).collect())
    }

    fn of_values(values: BTreeSet<String>) -> Self {
        let mut forms: Vec<String> = values
            .iter()
            .flat_map(|value| forms_of(value))
            .filter(|form| form.len() >= SHORTEST_SECRET_BYTES)
            .collect();
        forms.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { values: Arc::new(values), forms: Arc::new(forms) }
    }

    /// Tells whether a text is one of the values, and nothing else.
    pub(super) fn is_value(&self, text: &str) -> bool {
        self.values.contains(text)
    }

    /// Returns what is hidden by either.
    pub fn united(&self, other: &Self) -> Self {
        Self::of_values(self.values.union(&other.values).cloned().collect())
    }

    /// Returns the text with each value replaced by `***`.
    pub fn mask(&self, text: &str) -> String {
        if self.is_value(text) {
            return MASK.to_owned();
        }
        let mut masked = text.to_owned();
        for form in self.forms.iter() {
            if masked.contains(form.as_str()) {
                masked = masked.replace(form.as_str(), MASK);
            }
        }
        masked
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sensitive({} forms)", self.forms.len())
    }
}

fn column(filter: &Filter) -> Option<&str> {
    match filter {
        Filter::Eq { column, .. }
        | Filter::In { column, .. }
        | Filter::Range { column, .. }
        | Filter::IsNull { column, .. }
        | Filter::Like { column, .. } => Some(column),
        Filter::OpenDuring { .. } => None,
    }
}

fn values(filter: &Filter) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let bound = |bound: &Option<Bound>| bound.as_ref().map(|bound| text(&bound.value));
    match filter {
        Filter::Eq { value, .. } => vec![text(value)],
        Filter::In { values, .. } => values.iter().map(text).collect(),
        Filter::Range { lower, upper, .. } => {
            bound(lower).into_iter().chain(bound(upper)).collect()
        }
        Filter::Like { pattern, .. } => vec![pattern.clone()],
        Filter::IsNull { .. } | Filter::OpenDuring { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sessionql_plugin_abi::message::Column;

    use super::*;

    fn sensitive(filters: Value) -> Sensitive {
        let column = |name: &str, sensitive| Column {
            name: name.to_owned(),
            sensitive,
            ..Column::default()
        };
        let columns = vec![column("id", true), column("user", false)];
        let filters: Vec<Filter> = serde_json::from_value(filters).unwrap();
        Sensitive::new(&Table { columns, ..Table::default() }, &filters, [])
    }

    #[test]
    fn values_of_sensitive_columns_are_masked_in_every_encoding() {
        let masked = sensitive(json!([
            {"op": "in", "column": "id", "values": ["a|b+c\"=", "a|b+c\"=longer"]},
            {"op": "eq", "column": "user", "value": "alice"},
        ]));
        let text = r#"{"userId":"alice","sessionId":"a|b+c\"="} a%7Cb%2Bc%22%3D a|b+c"=longer"#;
        assert_eq!(masked.mask(text), r#"{"userId":"alice","sessionId":"***"} *** ***"#);
        assert!(!format!("{masked:?}").contains("a|b"));
    }

    #[test]
    fn short_values_are_masked_where_they_stand_alone() {
        let masked = sensitive(json!([{"op": "eq", "column": "id", "value": "a1"}]));
        assert_eq!(masked.mask("a1 is a1"), "a1 is a1");
        assert_eq!(masked.mask("a1"), "***");
    }

    #[test]
    fn values_of_every_kind_of_filter_are_masked() {
        let of = |column: &str| {
            let filters = json!([
                {"op": "eq", "column": column, "value": "equal"},
                {"op": "in", "column": column, "values": ["among", 12345]},
                {"op": "range", "column": column, "lower": {"value": "lower", "inclusive": true},
                 "upper": {"value": "upper", "inclusive": false}},
                {"op": "like", "column": column, "pattern": "pattern%", "ignore_case": false},
                {"op": "is_null", "column": column, "negated": true},
            ]);
            sensitive(filters).mask("equal among 12345 lower upper pattern%")
        };
        assert_eq!(of("id"), "*** *** *** *** *** ***");
        assert_eq!(of("user"), "equal among 12345 lower upper pattern%");
    }
}
