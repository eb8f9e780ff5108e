//! Text to tree: one snapshot per behaviour, each a list of texts with what they mean.

#![expect(clippy::panic, reason = "a failed step fails the test")]

use sessionql_grammar::parse;

/// Compares the trees of some texts with the snapshot of that name.
fn check(name: &str, texts: &[&str]) {
    let mut seen = String::new();
    for text in texts {
        seen.push_str(&format!("> {text}\n"));
        match parse(text) {
            Ok(statements) => {
                statements.iter().for_each(|statement| seen.push_str(&format!("{statement:?}\n")));
            }
            Err(error) => panic!("{text}\n{error}\n{}", error.span.of(text)),
        }
        seen.push('\n');
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, seen);
    });
}

#[test]
fn statements() {
    check(
        "statements",
        &[
            "",
            " ;; -- nothing\n ; /* at /* all */ */",
            "select 1; select 2;",
            "SELECT 1 -- last one without\n",
            "EXPLAIN SELECT 1",
            "explain analyze (select 1)",
            "DESCRIBE openvpn.sessions",
            "desc openvpn",
            "SHOW CONNECTIONS; show plugins; show tables; show functions; show parameters; show time_zone",
            "SET time_zone = 'Europe/Berlin'; set since = 24h; set pushdown to off",
        ],
    );
}

#[test]
fn names() {
    check(
        "names",
        &[
            "SELECT user, start, end, status FROM openvpn WHERE end IS NULL",
            "SELECT \"User\", \"a\"\"b\", o.\"end\" FROM openvpn AS o",
            "SELECT limit, offset, since, window, group, order FROM t",
            "SELECT date, time, interval, cast, exists, array, any, distinct FROM t",
            "SELECT distinct, all FROM t",
            "SELECT t.from, t.select FROM t",
            "SELECT now, today FROM vpn_eu.sessions today",
            "SELECT größe AS \"Größe\" FROM t",
            "SELECT a AS at FROM t AT now",
        ],
    );
}

#[test]
fn end_is_a_column_and_closes_case() {
    check(
        "end_is_a_column_and_closes_case",
        &[
            "SELECT CASE WHEN end IS NULL THEN start ELSE end END FROM t",
            "SELECT CASE end WHEN end THEN end ELSE end END end_time FROM t",
            "SELECT CASE WHEN a THEN CASE WHEN b THEN 1 END ELSE -end END FROM t",
            "SELECT CASE WHEN x THEN y END",
        ],
    );
}

#[test]
fn literals() {
    check(
        "literals",
        &[
            "SELECT 1, 1.5, .5, 1., 1e3, 1.5E-3, 007",
            "SELECT 'it''s', E'a\\tb\\'c''d\\x41\\u00fc\\\\', $$it's$$, ''",
            "SELECT NULL, true, FALSE",
            "SELECT 90s, 15m, 24h, 7d, 2w, 1h30m, 250ms, 1w2d3h4m5s6ms",
            "SELECT DATE '2026-01-01', TIMESTAMP '2026-01-01 10:00', TIME '10:00'",
            "SELECT INTERVAL '1 month', INTERVAL '90' MINUTES AS ninety",
            "SELECT $user, $since",
            "SELECT [1, 2,], ARRAY[], ARRAY['a']",
        ],
    );
}

#[test]
fn operators() {
    check(
        "operators",
        &[
            "SELECT 1 + 2 * 3 - 4 / 5 % 6",
            "SELECT (1 + 2) * 3",
            "SELECT 'a' || b || 'c'",
            "SELECT -a::int, - -1, +1, -a.b[1]",
            "SELECT a OR b AND c AND NOT d OR e",
            "SELECT a = 1 AND b <> 2 AND c != 3 OR d <= 4 AND e >= 5 AND f < 6 AND g > 7",
            "SELECT NOT a = b IS NULL",
            "SELECT a + 1 BETWEEN b AND c + 1 AND d NOT BETWEEN SYMMETRIC 2 AND 1",
            "SELECT a IN (1, 2,), a NOT IN ('x'), (a, b) IN ((1, 2), (3, 4)), a IN (SELECT 1)",
            "SELECT a LIKE 'x%' ESCAPE '!', a NOT ILIKE 'y', a SIMILAR TO 'z' || b",
            "SELECT a ~ 'x', a ~* 'x', a !~ 'x', a !~* 'x'",
            "SELECT a IS NULL, a IS NOT NULL, a IS TRUE, a IS NOT FALSE, a IS UNKNOWN",
            "SELECT a IS DISTINCT FROM b + 1, a IS NOT DISTINCT FROM NULL",
            "SELECT start AT TIME ZONE 'Europe/Berlin' + 1h",
            "SELECT a OVERLAPS b, (s1, e1) OVERLAPS (s2, e2), a CONTAINS now() - 1h",
            "SELECT a::text::varchar(10), b::int[], CAST(c AS double precision), TRY_CAST(d AS timestamp with time zone)",
            "SELECT a[1], a[1:2], a[:2], a[1:], a[b[1]][2], (r).x.y",
        ],
    );
}

#[test]
fn calls() {
    check(
        "calls",
        &[
            "SELECT f(), now(), s.f(1, 2,), f(a => 1, b => 'x')",
            "SELECT count(*), count(DISTINCT user), count(distinct), sum(ALL x)",
            "SELECT array_agg(user ORDER BY start DESC NULLS LAST, end)",
            "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY duration)",
            "SELECT count(*) FILTER (WHERE status = 'ACTIVE') AS active",
            "SELECT lag(user) IGNORE NULLS OVER (PARTITION BY a, b ORDER BY c)",
            "SELECT sum(x) OVER w, sum(x) OVER (w ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t WINDOW w AS (ORDER BY y), v AS ()",
            "SELECT sum(x) OVER (ORDER BY start RANGE BETWEEN UNBOUNDED PRECEDING AND 1h FOLLOWING), sum(y) OVER (GROUPS 2 PRECEDING)",
            "SELECT extract(epoch FROM duration), extract('day' from start)",
            "SELECT substring(a FROM 2 FOR 3), substring(a from 2), substring(a FOR 3), substring(a, 2)",
            "SELECT trim(a), trim(BOTH FROM a), trim(leading 'x' from a), trim('x' FROM a)",
            "SELECT EXISTS (SELECT 1), a = ANY (SELECT 1), a > ALL ($list), a = some((SELECT 1))",
        ],
    );
}

#[test]
fn select_lists() {
    check(
        "select_lists",
        &[
            "SELECT * FROM t",
            "SELECT t.*, s.t.* FROM t",
            "SELECT * EXCEPT (raw, id) FROM t",
            "SELECT * EXCLUDE (raw), 1 FROM t",
            "SELECT DISTINCT * FROM t",
            "SELECT DISTINCT ON (user, client_ip) user FROM t",
            "SELECT ALL user FROM t",
            "SELECT a x, b AS y, c \"z\", FROM t",
        ],
    );
}

#[test]
fn clauses() {
    check(
        "clauses",
        &[
            "SELECT user, count(*) FROM t WHERE a GROUP BY user HAVING count(*) > 1 ORDER BY 2 DESC, user ASC NULLS FIRST LIMIT 10 OFFSET 5",
            "SELECT a FROM t GROUP BY ALL",
            "SELECT a FROM t GROUP BY 1, ROLLUP (a, (b, c)), CUBE (d), GROUPING SETS ((a, b), (c), d, ())",
            "SELECT a, FROM t, WHERE x GROUP BY a, HAVING b ORDER BY a, LIMIT 1",
            "SELECT a FROM t ORDER BY a, limit",
            "SELECT a FROM t QUALIFY row_number() OVER (ORDER BY a) = 1",
            "SELECT a FROM t LIMIT ALL",
            "SELECT a FROM t OFFSET 5 ROWS FETCH FIRST 3 ROWS ONLY",
            "SELECT a FROM t FETCH NEXT ROW ONLY",
            "SELECT a FROM t LIMIT $n",
        ],
    );
}

#[test]
fn time_windows() {
    check(
        "time_windows",
        &[
            "SELECT * FROM openvpn SINCE 24h",
            "SELECT * FROM openvpn SINCE yesterday UNTIL today WHERE user = 'bob'",
            "SELECT * FROM openvpn WHERE user = 'bob' SINCE today - 2h",
            "SELECT * FROM openvpn SINCE 7d WHERE a UNTIL now - 1h",
            "SELECT * FROM openvpn o UNTIL '2026-01-01'",
            "SELECT * FROM openvpn AT '14:05'",
            "SELECT * FROM openvpn WHERE start AT TIME ZONE 'UTC' > x AT now() - 1h ORDER BY user",
        ],
    );
}

#[test]
fn tables() {
    check(
        "tables",
        &[
            "SELECT 1 FROM a, b AS x, c.d y (p, q)",
            "SELECT 1 FROM a JOIN b ON a.x = b.x INNER JOIN c USING (x, y) CROSS JOIN d",
            "SELECT 1 FROM a LEFT JOIN b ON x LEFT OUTER JOIN c ON x RIGHT JOIN d ON x FULL OUTER JOIN e ON x",
            "SELECT 1 FROM a SEMI JOIN b ON x LEFT SEMI JOIN c ON x ANTI JOIN d ON x LEFT ANTI JOIN e ON x",
            "SELECT 1 FROM a RIGHT SEMI JOIN b ON x RIGHT ANTI JOIN c ON x",
            "SELECT 1 FROM a NATURAL JOIN b NATURAL LEFT JOIN c",
            "SELECT 1 FROM a ASOF JOIN b ON a.user = b.user AND b.start <= a.start ASOF LEFT JOIN c ON x",
            "SELECT 1 FROM (SELECT 1) x, LATERAL (SELECT 2) AS y",
            "SELECT 1 FROM (a JOIN b ON x) JOIN (c) ON y",
            "SELECT 1 FROM (VALUES (1, 'a'), (2, 'b')) AS v (n, t)",
            "SELECT 1 FROM unnest([1, 2]) AS u (n), generate_series(1, 10)",
            "SELECT 1 FROM a JOIN b ON a OVERLAPS b",
        ],
    );
}

#[test]
fn queries() {
    check(
        "queries",
        &[
            "WITH a AS (SELECT 1), b (x, y) AS MATERIALIZED (SELECT 2), SELECT 3",
            "WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT 2) SELECT 3",
            "VALUES (1, 2), (3, 4) ORDER BY 1",
            "SELECT 1 UNION SELECT 2 INTERSECT SELECT 3 EXCEPT ALL SELECT 4",
            "SELECT 1 UNION DISTINCT (SELECT 2 LIMIT 1) ORDER BY 1 LIMIT 2",
            "SELECT * EXCEPT (SELECT 1)",
        ],
    );
}

#[test]
fn parentheses() {
    check(
        "parentheses",
        &[
            "((SELECT 1))",
            "(SELECT 1) UNION (SELECT 2)",
            "SELECT ((SELECT 1))",
            "SELECT ((SELECT 1) + 1)",
            "SELECT ((SELECT 1) UNION (SELECT 2) ORDER BY 1)",
            "SELECT (((SELECT 1)) UNION SELECT 2)",
            "SELECT ((((SELECT 1))) LIMIT 1)",
            "SELECT a IN (((SELECT 1)) ORDER BY 1), a = ANY (((SELECT 1)) EXCEPT SELECT 2)",
            "SELECT 1 FROM ((SELECT 1)) x",
            "SELECT 1 FROM (((SELECT 1)) UNION SELECT 2) x",
            "SELECT 1 FROM ((SELECT 1) UNION SELECT 2) x",
            "SELECT 1 FROM ((SELECT 1) x JOIN b ON true)",
            "SELECT 1 WHERE a IN ((SELECT 1) UNION (SELECT 2))",
            "SELECT (a), (a, b)",
        ],
    );
}

#[test]
fn spans_cover_exactly_what_was_written() {
    use sessionql_grammar::ast::{SelectItemKind, SetExprKind, StatementKind};
    let text = "  select  count(*) /* c */ , a  +  1 -- c\n as b , ( t . x ) from t ; ";
    let statements = parse(text).unwrap();
    let StatementKind::Query(query) = &statements[0].kind else { panic!() };
    assert_eq!(statements[0].span.of(text), text.trim().trim_end_matches([' ', ';']));
    let SetExprKind::Select(select) = &query.body.kind else { panic!() };
    let spans: Vec<_> = select
        .items
        .iter()
        .map(|item| match &item.kind {
            SelectItemKind::Expr { value, .. } => value.span.of(text),
            SelectItemKind::Wildcard { .. } => item.span.of(text),
        })
        .collect();
    assert_eq!(spans, ["count(*)", "a  +  1", "( t . x )"]);
}
