//! Which columns of a result a timeline is made of.
//! In: the columns of a result. Out: the places of start, end, lane and label, or what is missing.

use arrow::datatypes::{DataType, Schema};
use sessionql_core::display::escape_controls;

use crate::usage::Refusal;

/// The names of begin and end, the first pair that the result has.
const LIFETIMES: [(&str, &str); 3] =
    [("start", "end"), ("start_time", "end_time"), ("started_at", "ended_at")];

/// What the name of a begin and an end may end with, behind a name of its own: `vpn_start`.
const SUFFIXES: (&str, &str) = ("_start", "_end");

/// How many names of columns an error tells.
const N_NAMES: usize = 12;

/// Where a timeline finds what it draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns {
    /// When a session began.
    pub(super) start: usize,
    /// When it ended; NULL if it is open.
    pub(super) end: usize,
    /// Whose lanes it belongs to: the user, or else the first text of the row that may tell.
    pub(super) user: Option<usize>,
    /// Which of these lanes: the connection, or else the provider.
    pub(super) connection: Option<usize>,
}

impl Columns {
    /// Finds the columns.
    ///
    /// # Errors
    /// If there is no begin and end, or several that could be meant.
    pub(super) fn find(schema: &Schema) -> Result<Self, Refusal> {
        let (start, end) = lifetime(schema)?;
        let connection =
            ["connection", "provider"].into_iter().find_map(|name| first(schema, name));
        let is_text = |idx: &usize| {
            matches!(
                schema.field(*idx).data_type(),
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
            )
        };
        let tells = |idx: &usize| {
            let name = schema.field(*idx).name().as_str();
            !matches!(name, "connection" | "provider" | "status" | "id")
        };
        let user = first(schema, "user")
            .or_else(|| (0..schema.fields().len()).filter(is_text).find(tells));
        Ok(Self { start, end, user, connection })
    }
}

/// Returns the columns of begin and end.
fn lifetime(schema: &Schema) -> Result<(usize, usize), Refusal> {
    for (start, end) in LIFETIMES {
        let (starts, ends) = (instants(schema, start), instants(schema, end));
        match (starts.as_slice(), ends.as_slice()) {
            (&[start], &[end]) => return Ok((start, end)),
            ([], _) | (_, []) => {}
            _ => {
                let twice = if starts.len() > 1 { start } else { end };
                return Err(Refusal::new(format!("the result has several columns `{twice}`"))
                    .with_hint(format!(
                        "a timeline is drawn from one pair: `AS {start}` and `AS {end}` name it"
                    )));
            }
        }
    }
    let pairs: Vec<(usize, usize)> = (0..schema.fields().len())
        .filter_map(|start| {
            let prefix = schema.field(start).name().strip_suffix(SUFFIXES.0)?;
            let end = instants(schema, &format!("{prefix}{}", SUFFIXES.1));
            let is_instant = is_instant(schema.field(start).data_type());
            is_instant.then_some((start, *end.first()?))
        })
        .collect();
    match pairs.as_slice() {
        &[pair] => Ok(pair),
        [] => Err(missing(schema)),
        pairs => {
            let names: Vec<&str> =
                pairs.iter().map(|(start, _)| schema.field(*start).name().as_str()).collect();
            let names = escape_controls(&names.join("`, `"));
            Err(Refusal::new(format!("a timeline may begin at each of `{names}`"))
                .with_hint("`AS start` and `AS end` name the pair that is meant"))
        }
    }
}

fn missing(schema: &Schema) -> Refusal {
    let wrong = ["start", "end"].into_iter().find_map(|name| {
        let idx = first(schema, name)?;
        (!is_instant(schema.field(idx).data_type())).then_some(name)
    });
    if let Some(name) = wrong {
        return Refusal::new(format!(
            "a timeline needs `start` and `end`, and `{name}` is no time"
        ));
    }
    let fields = schema.fields();
    let names: Vec<&str> = fields.iter().take(N_NAMES).map(|field| field.name().as_str()).collect();
    let more = match fields.len().saturating_sub(N_NAMES) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let names = escape_controls(&names.join("`, `"));
    Refusal::new(format!(
        "a timeline needs columns `start` and `end`; the result has `{names}`{more}"
    ))
}

fn first(schema: &Schema, name: &str) -> Option<usize> {
    schema.fields().iter().position(|field| field.name() == name)
}

fn instants(schema: &Schema, name: &str) -> Vec<usize> {
    let fields = schema.fields().iter().enumerate();
    fields
        .filter(|(_, field)| field.name() == name && is_instant(field.data_type()))
        .map(|(idx, _)| idx)
        .collect()
}

fn is_instant(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, TimeUnit};

    use super::*;

    fn schema(columns: &[&str]) -> Schema {
        let field = |name: &&str| match name.strip_prefix('#') {
            Some(name) => Field::new(name, DataType::Int64, true),
            None if name.contains("start") || name.contains("end") => {
                let zone = Some("UTC".into());
                Field::new(*name, DataType::Timestamp(TimeUnit::Microsecond, zone), true)
            }
            None => Field::new(*name, DataType::Utf8, true),
        };
        Schema::new(columns.iter().map(field).collect::<Vec<_>>())
    }

    fn found(columns: &[&str]) -> (usize, usize, Option<usize>, Option<usize>) {
        let found = Columns::find(&schema(columns)).unwrap();
        (found.start, found.end, found.user, found.connection)
    }

    fn refused(columns: &[&str]) -> String {
        Columns::find(&schema(columns)).unwrap_err().message
    }

    #[test]
    fn begin_and_end_have_a_few_names() {
        assert_eq!(found(&["user", "start", "end", "connection"]), (1, 2, Some(0), Some(3)));
        assert_eq!(found(&["start_time", "end_time"]), (0, 1, None, None));
        assert_eq!(found(&["vpn_end", "vpn_start", "user"]), (1, 0, Some(2), None));
    }

    #[test]
    fn without_a_user_the_first_text_names_the_lanes() {
        assert_eq!(found(&["id", "status", "client_ip", "start", "end"]).2, Some(2));
        assert_eq!(found(&["id", "start", "end"]).2, None);
    }

    #[test]
    fn what_is_missing_is_told() {
        assert_eq!(
            refused(&["user", "start"]),
            "a timeline needs columns `start` and `end`; the result has `user`, `start`"
        );
        assert_eq!(
            refused(&["#start", "end"]),
            "a timeline needs `start` and `end`, and `start` is no time"
        );
        assert_eq!(refused(&["start", "start", "end"]), "the result has several columns `start`");
        assert_eq!(
            refused(&["a_start", "a_end", "b_start", "b_end"]),
            "a timeline may begin at each of `a_start`, `b_start`"
        );
    }
}
