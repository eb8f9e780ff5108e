//! What may stand at a place: the keywords, and the statement around it; and what the parts of a text
//! are. `|` is the place.

use proptest::prelude::*;
use sessionql_grammar::{MARKER, Paint, Place, Typed, paint, place, written_name};

fn at(text: &str) -> Place {
    let at = text.find('|').expect("there is a place");
    place(&text.replacen('|', "", 1), at)
}

/// Returns the statement with `|` for the marker.
fn tree(text: &str) -> String {
    let statement = at(text).statement;
    statement.map_or("-".to_owned(), |(statement, _)| format!("{statement:?}").replace(MARKER, "|"))
}

#[test]
fn keywords_are_those_that_the_grammar_takes() {
    for (text, expected) in [
        ("|", "DESC DESCRIBE EXPLAIN SELECT SET SHOW VALUES WITH"),
        ("sel|", "SELECT"),
        ("EXPLAIN |", "ANALYZE SELECT VALUES WITH"),
        ("WITH |", "RECURSIVE"),
        (
            "SELECT |",
            "ALL CASE CAST DATE DISTINCT EXISTS FALSE INTERVAL NOT NULL TIMESTAMP TRUE TRY_CAST",
        ),
        ("SELECT v.|", ""),
        ("SELECT user AS |", ""),
        ("SELECT user FROM |", "LATERAL"),
        ("SELECT user FROM openvpn w|", "WHERE WINDOW"),
        ("SELECT user FROM openvpn l|", "LEFT LIMIT"),
        ("SELECT user FROM openvpn v a|", "ANTI ASOF AT"),
        ("SELECT user FROM openvpn ORDER |", "BY"),
        (
            "SELECT user FROM openvpn WHERE |",
            "CASE CAST DATE EXISTS FALSE INTERVAL NOT NULL TIMESTAMP TRUE TRY_CAST",
        ),
        ("SELECT user FROM openvpn WHERE user IS |", "DISTINCT FALSE NOT NULL TRUE UNKNOWN"),
        ("SELECT user FROM openvpn ORDER BY start d|", "DESC"),
        ("SELECT sum(x) OVER (|", "GROUPS ORDER PARTITION RANGE ROWS"),
        ("SELECT count(*) f|", "FETCH FILTER FROM"),
        ("SELECT 1 UNION |", "ALL DISTINCT SELECT VALUES"),
        ("SELECT CASE WHEN a THEN 1 e|", "ELSE END"),
        ("SELECT user FROM openvpn SINCE 1d u|", "UNION UNTIL"),
    ] {
        assert_eq!(at(text).keywords.join(" "), expected, "{text}");
    }
}

#[test]
fn a_statement_is_made_whole_around_the_place() {
    for (text, part) in [
        ("SELECT | FROM openvpn", "items: [|], from: [TableExpr { table: Name(openvpn)"),
        (
            "SELECT count(| FROM openvpn",
            "items: [|], order_by: [] } })], from: [TableExpr { table: Name(openvpn)",
        ),
        ("SELECT CASE WHEN | FROM openvpn", "from: [TableExpr { table: Name(openvpn)"),
        ("SELECT a FROM b WHERE c = '| ORDER BY", "filter: (c Eq \"|\")"),
        ("SELECT a FROM b WHERE c = '|' ORDER BY", "filter: (c Eq \"|\")"),
        ("SELECT a FROM b WHERE c IN ('d', |", "InList { operand: c, list: [\"d\", |]"),
        ("SELECT a FROM b JOIN c USING (|", "Using([|])"),
        ("SELECT a FROM b JOIN c ON b.|", "On(b.|)"),
        ("SELECT a FROM b SINCE |", "since: |"),
        ("SELECT cast(a AS |", "data_type: |"),
        (
            "WITH a AS (SELECT |",
            "ctes: [Cte { name: a, columns: [], query: Query { body: Select(Select { items: [|]",
        ),
        ("DESCRIBE |", "Describe(|)"),
        ("SHOW |", "Show(Setting(|))"),
        ("SELECT 1; SELECT | FROM b; SELECT 2", "items: [|], from: [TableExpr { table: Name(b)"),
        ("SELECT us|er FROM b", "items: [|], from: [TableExpr { table: Name(b)"),
    ] {
        assert!(tree(text).contains(part), "{text}\n{}", tree(text));
    }
    assert_eq!(tree("SELECT a FROM b WHERE c |"), "-", "only keywords may stand there");
    assert_eq!(tree("SELEC |"), "-");
}

#[test]
fn what_is_being_typed() {
    for (text, typed, part) in [
        ("SELECT us|", Typed::Word, "us"),
        ("SELECT |", Typed::Word, ""),
        ("SELECT \"Ho|", Typed::Quoted, "\"Ho"),
        ("SELECT 'AC|", Typed::Text { is_closed: false }, "'AC"),
        ("SELECT 'AC|'", Typed::Text { is_closed: true }, "'AC"),
        ("SELECT $wh|", Typed::Parameter, "$wh"),
        ("SELECT $|", Typed::Parameter, "$"),
        ("SELECT 12|", Typed::Other, ""),
        ("SELECT 1 -- us|", Typed::Other, ""),
        ("SELECT 1 /* us|", Typed::Other, ""),
        ("SELECT 1 -- us\n|", Typed::Word, ""),
    ] {
        let found = at(text);
        assert_eq!((found.typed, found.span.of(&text.replace('|', ""))), (typed, part), "{text}");
    }
}

#[test]
fn names_are_quoted_if_they_must_be() {
    let written =
        ["user", "end", "select", "Home", "two words", "a\"b", "1st", "x_1"].map(written_name);
    let expected =
        ["user", "end", "\"select\"", "\"Home\"", "\"two words\"", "\"a\"\"b\"", "\"1st\"", "x_1"];
    assert_eq!(written, expected);
}

/// Returns the keywords of a text, as the grammar reads them.
fn keywords(text: &str) -> String {
    let parts = paint(text).into_iter().filter(|(_, paint)| *paint == Paint::Keyword);
    parts.map(|(span, _)| span.of(text)).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_word_is_a_keyword_where_the_grammar_reads_it_as_one() {
    for (text, expected) in [
        ("SELECT end, date FROM first", "SELECT FROM"),
        ("SELECT end, date FROM first WHE", "SELECT FROM"),
        ("SELECT CASE WHEN end THEN date '2026-01-01' END", "SELECT CASE WHEN THEN date END"),
        ("select 1 from t order by", "select from order by"),
        ("select 1; show tables", "select show"),
        ("select ) from t where", "select from where"),
    ] {
        assert_eq!(keywords(text), expected, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_has_an_answer(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "SELECT", "FROM", "WHERE", "a", "b.", "'x", "'", "\"", "$p", "(", ")", "[", "CASE",
                "WHEN", "END", "1", "1h", ",", "=", "IN", "JOIN", "ON", "WITH", "AS", ";", "--", "\n",
                "/*", "*/", "é", "\\", "ORDER", "BY", "{", "}", ".", "*", "::", "OVER", "NOT",
            ]),
            0..24,
        ),
        place_idx in 0_usize..200,
    ) {
        let text = words.join(" ");
        let found = place(&text, place_idx);
        prop_assert!(found.span.end <= text.len() && text.get(found.span.start..found.span.end).is_some());
        let mut end = 0;
        for (span, _) in paint(&text) {
            prop_assert!(span.start >= end && span.end > span.start);
            prop_assert!(text.get(span.start..span.end).is_some());
            end = span.end;
        }
    }
}
