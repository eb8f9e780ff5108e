//! What the style looks like.

use sessionql_grammar::format;

use super::check;

/// Checks a text whose lines are as they should be: formatted it is the same, and so is what
/// becomes of it with all blanks but those in quotes and comments thrown together.
fn holds(text: &str) {
    assert_eq!(check(text), text);
    let one_line: Vec<_> = text.split_whitespace().collect();
    if !text.contains("--") {
        assert_eq!(check(&one_line.join(" ")), text);
    }
}

fn becomes(text: &str, expected: &str) {
    assert_eq!(check(text), expected);
}

#[test]
fn each_clause_has_a_line() {
    holds(
        "\
WITH busy AS (
    SELECT user, count(*) AS sessions
    FROM openvpn
    SINCE 6d
    GROUP BY user
)
SELECT b.user, b.sessions, v.start AS newest
FROM busy AS b JOIN openvpn AS v ON v.user = b.user
SINCE 24h UNTIL now
WHERE b.sessions > 1
GROUP BY ALL
HAVING count(*) > 1
WINDOW w AS (PARTITION BY b.user ORDER BY v.start DESC)
QUALIFY row_number() OVER w = 1
ORDER BY b.sessions DESC NULLS LAST, b.user
LIMIT 5 OFFSET 10;
",
    );
    holds("SELECT 1\nUNION ALL\nSELECT 2\nORDER BY 1;\n");
    holds("EXPLAIN ANALYZE SELECT user\nFROM openvpn;\n");
    holds("SET time_zone = 'UTC';\n\nSHOW CONNECTIONS;\n\nDESCRIBE openvpn.sessions;\n");
}

#[test]
fn words_are_in_upper_case_and_names_as_written() {
    becomes(
        "select Count(*), \"User\", größe from OpenVPN where a is not null and b like 'X' and true",
        "SELECT Count(*), \"User\", größe\nFROM OpenVPN\nWHERE a IS NOT NULL AND b LIKE 'X' AND TRUE;\n",
    );
}

#[test]
fn one_thing_is_written_one_way() {
    becomes("select a x, from t y", "SELECT a AS x\nFROM t AS y;\n");
    becomes(
        "desc t; set a to off; select all a from t;;",
        "DESCRIBE t;\n\nSET a = off;\n\nSELECT a\nFROM t;\n",
    );
    becomes(
        "select * exclude (a) from t inner join u using (a) left outer join v on a != b",
        "SELECT * EXCEPT (a)\nFROM t JOIN u USING (a) LEFT JOIN v ON a <> b;\n",
    );
    becomes(
        "select a from t where b since 1d offset 2 rows fetch first row only",
        "SELECT a\nFROM t\nSINCE 1d\nWHERE b\nLIMIT 1 OFFSET 2;\n",
    );
    becomes(
        "select substring(a from 2 for 3), trim(both from a), extract('day' from b), array[1]",
        "SELECT substring(a, 2, 3), trim(BOTH FROM a), extract(day FROM b), [1];\n",
    );
}

#[test]
fn constants_and_casts_are_as_written() {
    holds(
        "SELECT 24h, 1., .5, E'a\\n', $$it's$$, INTERVAL '90' MINUTES, a::int, CAST(a AS int);\n",
    );
}

#[test]
fn what_is_too_long_is_broken() {
    holds(
        "\
SELECT
    user,
    CASE
        WHEN a_long_name_of_a_column IS NULL THEN 'it is not there'
        WHEN a_long_name_of_a_column = 'it is there' THEN 'it is there'
        ELSE 'other'
    END AS state,
    row_number() OVER (
        PARTITION BY a_long_name_of_a_column, another_long_name_of_a_column
        ORDER BY start DESC
    ) AS number,
    a_long_name_of_a_function(
        with_the_first_argument,
        with_the_second_argument,
        with_the_third_argument
    )
FROM openvpn AS v
    LEFT JOIN a_connection_with_a_long_name.sessions AS s
        ON s.user = v.user
            AND s.start >= v.start
            AND s.client_ip = v.client_ip
            AND s OVERLAPS v
WHERE a_long_name_of_a_column = 'a constant'
    AND (
        another_long_name_of_a_column = 'another constant'
        OR another_long_name_of_a_column = 'a third constant'
    )
    AND user IN (
        SELECT user
        FROM oam
        WHERE status = 'a status that is longer than others' AND client_ip = '192.0.2.1'
    )
    AND id IN (
        'a constant of some length', 'b constant of some length',
        'c constant of some length', 'd constant of some length'
    )
GROUP BY ALL;
",
    );
}

#[test]
fn comments_stay() {
    holds(
        "\
-- Who is connected.
-- Twice.

/* A block
   on two lines. */
SELECT
    user, -- the login
    /* inner */ start,
    -- Its end, or nothing.
    end
FROM openvpn -- all of it
-- Only those that are open.
WHERE end IS NULL /* open */ AND user <> 'root'; -- done

-- The end.
",
    );
    becomes("select a -- one\n , b -- two\n", "SELECT\n    a, -- one\n    b; -- two\n");
    becomes("-- nothing else", "-- nothing else\n");
    becomes("select 1 /* a */ ; /* b */", "SELECT 1 /* a */; /* b */\n");
    becomes("select f(/* none */)", "SELECT f(/* none */);\n");
    becomes("select 1::double /* a */ precision", "SELECT 1::double /* a */ precision;\n");
}

#[test]
fn what_does_not_parse_is_an_error_with_a_place() {
    let error = format("select 1; selec 2").unwrap_err();
    assert_eq!(error.span.start, 10);
    assert_eq!(format("").unwrap(), "");
    assert_eq!(format("\r\n ;; \t").unwrap(), "");
}

#[test]
fn line_ends_are_those_of_unix_outside_of_texts() {
    becomes("select\r\n 'a\r\nb' -- c\r\n", "SELECT 'a\r\nb'; -- c\n");
}

/// `DISTINCT` and `ALL` are columns, too, if nothing else can be meant.
#[test]
fn a_word_is_not_taken_for_another() {
    becomes("select all distinct + 1", "SELECT ALL distinct + 1;\n");
    becomes("select a, since, limit 1", "SELECT a, since,\nLIMIT 1;\n");
    becomes(
        "select a, since, from t, limit, where x",
        "SELECT a, since\nFROM t, limit,\nWHERE x;\n",
    );
    becomes("select a, since", "SELECT a, since;\n");
    becomes("select distinct from t", "SELECT ALL distinct\nFROM t;\n");
    becomes("select count(all all + 1)", "SELECT count(ALL all + 1);\n");
    becomes("select - -1, 1 .a, - - -b", "SELECT - -1, 1 .a, - - -b;\n");
}
