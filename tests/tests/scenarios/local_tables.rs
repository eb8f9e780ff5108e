//! Files as tables: which types their columns get, what is an error, and what a query makes of them.

use std::path::Path;

use proptest::prelude::*;
use sessionql_core::error::Class;
use sessionql_core::{Engine, ExecuteOptions};
use sessionql_sandbox::Clock;
use sessionql_tests::{Answer, BEGIN, World, engine, instant, run};

/// A directory with the file of one table, called `t`.
struct File {
    directory: tempfile::TempDir,
    name: &'static str,
    keys: String,
}

impl File {
    fn new(name: &'static str, content: impl AsRef<[u8]>) -> Self {
        let directory = tempfile::tempdir().expect("a directory is made");
        let file = Self { directory, name, keys: String::new() };
        file.write(content);
        file
    }

    /// Adds keys of the configuration, one a line.
    fn with(mut self, keys: &str) -> Self {
        self.keys = keys.to_owned();
        self
    }

    fn write(&self, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(), content).expect("the file is written");
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join(self.name)
    }

    fn toml(&self) -> String {
        table_toml("t", &self.path(), &self.keys)
    }

    fn engine(&self) -> Engine {
        engine(&self.toml(), &Clock::fixed(instant(BEGIN)))
    }

    fn ask(&self, sql: &str) -> Answer {
        run(&self.engine(), sql, &ExecuteOptions::default())
    }

    fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let answer = self.ask(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        answer.rows
    }

    /// The columns with their types.
    fn types(&self) -> Vec<String> {
        let rows = self.rows("DESCRIBE t");
        rows.into_iter().map(|row| format!("{} {}", row[0], row[1])).collect()
    }

    /// The error, without the directory; it is one of the input.
    fn message(&self, sql: &str) -> String {
        let error = self.ask(sql).error.unwrap_or_else(|| panic!("an error was due: {sql}"));
        assert_eq!(error.class(), Class::Input, "{error}");
        let hint = error.hint().map_or(String::new(), |hint| format!(" ({hint})"));
        let directory = format!("{}/", self.directory.path().display());
        format!("{error}{hint}").replace(&directory, "")
    }
}

fn table_toml(name: &str, path: &Path, keys: &str) -> String {
    format!("[tables.{name}]\npath = {path:?}\n{keys}\n")
}

#[test]
fn csv_columns_get_the_type_that_all_their_values_have() {
    let file = File::new(
        "t.csv",
        "id,n,share,ok,at,day,ratio,version,zip\n\
         007,1,0.5,true,2026-03-01T08:00:00+01:00,2026-03-01,1,1.10,01234\n\
         12,,3,FALSE,2026-03-01 08:00,,2.5,1.9,99999\n",
    );
    assert_eq!(
        file.types(),
        [
            "id text",
            "n int64",
            "share float64",
            "ok bool",
            "at timestamp",
            "day timestamp",
            "ratio float64",
            "version text",
            "zip text"
        ]
    );
    assert_eq!(
        file.rows("SELECT * FROM t"),
        [
            [
                "007",
                "1",
                "0.5",
                "true",
                "2026-03-01T07:00:00Z",
                "2026-03-01T00:00:00Z",
                "1.0",
                "1.10",
                "01234"
            ],
            ["12", "NULL", "3.0", "false", "2026-03-01T08:00:00Z", "NULL", "2.5", "1.9", "99999"]
        ]
    );
}

#[test]
fn a_value_at_the_end_of_a_long_file_decides_too() {
    let mut text = "id,user\n".to_owned();
    for n in 0..30_000 {
        text.push_str(&format!("{n},ann\n"));
    }
    text.push_str("00001,bob\n");
    let file = File::new("t.csv", text);
    assert_eq!(file.types(), ["id text", "user text"]);
    assert_eq!(file.rows("SELECT count(*), count(DISTINCT id) FROM t"), [["30001", "30001"]]);
    assert_eq!(file.rows("SELECT user FROM t WHERE id = '00001'"), [["bob"]]);
}

#[test]
fn an_empty_field_is_null_and_a_quoted_one_is_empty_text() {
    let file = File::new("t.csv", "\u{feff}a,b\r\n,\"\"\r\n\"x\r\ny\",\"say \"\"hi\"\"\"\r\n");
    let sql = "SELECT a IS NULL, b = '', a, b FROM t";
    assert_eq!(
        file.rows(sql),
        [["true", "true", "NULL", ""], ["false", "false", "x\r\ny", "say \"hi\""]]
    );
}

#[test]
fn jsonl_keeps_what_json_says() {
    let file = File::new(
        "t.jsonl",
        "{\"user\":\"ann\",\"n\":1,\"code\":\"42\",\"groups\":[\"a\",null],\"big\":12345678901234567890}\n\
         {\"user\":\"bob\",\"n\":2.5,\"groups\":[],\"more\":{\"x\":[1]},\"at\":\"2026-03-01T08:00:00Z\"}\n\
         {\"user\":null,\"n\":null,\"big\":1,\"mixed\":\"a\"}\n\
         {\"mixed\":7}\n",
    );
    assert_eq!(
        file.types(),
        [
            "user text",
            "n float64",
            "code text",
            "groups list<text>",
            "big text",
            "more json",
            "at timestamp",
            "mixed text"
        ]
    );
    assert_eq!(
        file.rows("SELECT user, n, code, groups, big, more, at, mixed FROM t"),
        [
            ["ann", "1.0", "42", "[a, NULL]", "12345678901234567890", "NULL", "NULL", "NULL"],
            ["bob", "2.5", "NULL", "[]", "NULL", "{\"x\":[1]}", "2026-03-01T08:00:00Z", "NULL"],
            ["NULL", "NULL", "NULL", "NULL", "1", "NULL", "NULL", "a"],
            ["NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "7"]
        ]
    );
}

#[test]
fn a_declared_type_is_kept_or_says_which_value_it_is_not() {
    let text = "id,n,lasted,tags,at\n1,007,PT1H5M,\"[\"\"a\"\"]\",2026-03-01 08:00\n2,+5,90s,[],\n";
    let declared = "time_zone = \"Europe/Berlin\"\n\
         columns = { id = \"text\", n = \"int64\", lasted = \"duration\", tags = \"list<text>\" }";
    let file = File::new("t.csv", text).with(declared);
    let (types, rows) = (file.types(), file.rows("SELECT *, lasted > 1h FROM t"));
    assert_eq!(types, ["id text", "n int64", "lasted duration", "tags list<text>", "at timestamp"]);
    assert_eq!(rows[0], ["1", "7", "PT3900S", "[a]", "2026-03-01T07:00:00Z", "true"]);
    assert_eq!(rows[1], ["2", "5", "PT90S", "[]", "NULL", "false"]);
    for (column, content, expected) in [
        ("int64", "1\nx", "t.csv:3: local table `t`: column `a`: `x` is no int64"),
        ("int64", "1.0", "t.csv:2: local table `t`: column `a`: `1.0` is no int64"),
        (
            "int64",
            "9223372036854775808",
            "t.csv:2: local table `t`: column `a`: `9223372036854775808` is no int64",
        ),
        ("float64", "inf", "t.csv:2: local table `t`: column `a`: `inf` is no float64"),
        ("bool", "1", "t.csv:2: local table `t`: column `a`: `1` is no bool"),
        ("timestamp", "\"\"", "t.csv:2: local table `t`: column `a`: `` is no date or time"),
        ("duration", "1.5h", "t.csv:2: local table `t`: column `a`: `1.5h` is no duration"),
        ("list<text>", "[1]", "t.csv:2: local table `t`: column `a`: `[1]` is no list of text"),
        ("json", "{", "t.csv:2: local table `t`: column `a`: `{` is no JSON"),
    ] {
        let file = File::new("t.csv", format!("a\n{content}\n"))
            .with(&format!("columns = {{ a = \"{column}\" }}"));
        assert_eq!(file.message("SELECT 1 FROM t"), expected);
    }
}

#[test]
fn a_file_that_is_not_what_it_should_be_is_an_error_with_its_line() {
    for (name, content, expected) in [
        (
            "t.csv",
            "a,b\n1\n",
            "t.csv:2: local table `t`: the line has 1 field, the header has 2 fields",
        ),
        (
            "t.csv",
            "a,b\n1,2,3\n",
            "t.csv:2: local table `t`: the line has more than 2 fields, which the header has",
        ),
        ("t.csv", "a,a\n", "t.csv:1: local table `t`: the header names `a` twice"),
        ("t.csv", "", "t.csv:1: local table `t`: the file has no header"),
        (
            "t.jsonl",
            "{}\n1\n",
            "t.jsonl:2: local table `t`: not a JSON object: invalid type: integer `1`, expected an object",
        ),
        (
            "t.jsonl",
            "",
            "t.jsonl: local table `t`: the file has no rows, and so no columns (declare them, such as `columns = { id = \"text\" }`)",
        ),
        (
            "t.parquet",
            "PAR1",
            "t.parquet: local table `t`: cannot be read as Parquet: EOF: Parquet file too small. Size is 4 but need 8",
        ),
    ] {
        assert_eq!(File::new(name, content).message("SELECT * FROM t"), expected);
    }
}

#[test]
fn a_missing_file_or_column_is_an_error_of_the_configuration() {
    let file = File::new("t.csv", "began,ended\n");
    std::fs::remove_file(file.path()).expect("the file is removed");
    assert_eq!(
        file.message("SELECT * FROM t"),
        "local table `t`: the file `t.csv` cannot be read: No such file or directory (os error 2)"
    );
    let listed = file.rows("SHOW TABLES");
    assert_eq!(listed[0][..2], ["t", "local"]);
    assert!(listed[0][4].contains("cannot be read"), "{listed:?}");
    let file =
        File::new("t.csv", "began,ended\n").with("time = { start = \"begin\", end = \"ended\" }");
    assert_eq!(
        file.message("SELECT * FROM t"),
        "local table `t`: no column `begin` in `t.csv` (did you mean `began`?)"
    );
    let file = File::new("t.csv", "a\n").with("columns = { b = \"text\" }");
    assert_eq!(
        file.message("SELECT * FROM t"),
        "local table `t`: no column `b` in `t.csv` (did you mean `a`?)"
    );
}

#[test]
fn a_table_without_rows_has_columns() {
    let csv = File::new("t.csv", "a,b\n");
    assert_eq!(csv.types(), ["a text", "b text"]);
    assert!(csv.rows("SELECT * FROM t").is_empty());
    let jsonl = File::new("t.jsonl", "").with("columns = { a = \"int64\" }");
    assert_eq!(jsonl.types(), ["a int64"]);
    assert_eq!(jsonl.rows("SELECT count(*), sum(a) FROM t"), [["0", "NULL"]]);
}

const SHIFTS: &str = "person,began,ended\n\
    ann,2026-03-15 08:00,2026-03-15 10:00\n\
    bob,2026-03-15 09:00,\n\
    cem,2026-03-14 22:00,2026-03-15 06:00\n\
    dan,,\n";

fn shifts() -> File {
    File::new("t.csv", SHIFTS).with("time = { start = \"began\", end = \"ended\" }")
}

#[test]
fn declared_time_columns_make_a_session_table() {
    let file = shifts();
    let people = |clause: &str| -> Vec<String> {
        let rows = file.rows(&format!("SELECT person FROM t {clause} ORDER BY person"));
        rows.into_iter().map(|mut row| row.remove(0)).collect()
    };
    assert_eq!(people(""), ["ann", "bob", "cem", "dan"]);
    assert_eq!(people("AT '2026-03-15 09:30'"), ["ann", "bob"]);
    assert_eq!(people("AT '2026-03-15 10:00'"), ["bob"], "an end is not part of a session");
    assert_eq!(people("SINCE '2026-03-15 05:00' UNTIL '2026-03-15 08:00'"), ["cem"]);
    assert_eq!(people("SINCE 1h"), ["bob"], "open since before");
    assert_eq!(
        file.rows("SELECT person, duration FROM t WHERE duration >= 2h ORDER BY person"),
        [["ann", "PT7200S"], ["bob", "PT10800S"], ["cem", "PT28800S"]],
        "an open one lasts up to now"
    );
    assert_eq!(
        file.types(),
        ["person text", "began timestamp", "ended timestamp", "duration duration"]
    );
}

#[test]
fn without_time_columns_a_window_has_no_sessions_to_filter() {
    let text = File::new("t.csv", SHIFTS).message("SELECT * FROM t SINCE 1h");
    assert!(text.contains("SINCE"), "{text}");
}

#[test]
fn a_window_filters_before_a_join() {
    let file = shifts();
    let sql = "SELECT p.x, t.person FROM (VALUES ('ann'), ('bob'), ('eva')) p(x) \
               LEFT JOIN t ON t.person = p.x AT '2026-03-15 11:00' ORDER BY p.x";
    assert_eq!(file.rows(sql), [["ann", "NULL"], ["bob", "bob"], ["eva", "NULL"]]);
}

#[test]
fn a_local_table_is_no_connection() {
    let file = shifts();
    let answer = file.ask("SELECT count(*) FROM t a JOIN t b ON a.person = b.person");
    assert_eq!(answer.rows, [["4"]]);
    assert!(answer.completeness.connections.is_empty(), "{:?}", answer.completeness);
    assert!(file.rows("SHOW CONNECTIONS").is_empty());
    let tables = file.rows("SHOW TABLES");
    assert_eq!(tables[0][..2], ["t", "local"]);
    assert!(tables[0][3].starts_with("csv `") && tables[0][3].ends_with("t.csv`"), "{tables:?}");
    let columns = file.rows("DESCRIBE t");
    assert!(columns[0][4].ends_with("t.csv`; its type is guessed."), "{columns:?}");
    assert!(columns[1][4].ends_with("t.csv`; its type is declared."), "{columns:?}");
    assert!(columns.iter().all(|column| column[3] == "NULL"), "nothing is pushed: {columns:?}");
}

#[test]
fn names_of_columns_are_as_in_the_file() {
    let file = File::new("t.csv", "UserId,user name,end\n7,Ann B,x\n");
    assert_eq!(
        file.rows("SELECT \"UserId\", t.\"user name\", end FROM t WHERE \"UserId\" = 7"),
        [["7", "Ann B", "x"]]
    );
    let text = file.message("SELECT userid FROM t");
    assert!(text.ends_with("(did you mean `\"UserId\"`?)"), "{text}");
    let text = file.message("SELECT * FROM tt");
    assert!(text.ends_with("(did you mean `t`?)"), "{text}");
}

#[test]
fn the_file_is_read_anew_for_each_statement() {
    let file = File::new("t.csv", "a\n1\n");
    let engine = file.engine();
    let ask = |sql: &str| run(&engine, sql, &ExecuteOptions::default()).rows;
    assert_eq!(ask("SELECT a + 1 FROM t"), [["2"]]);
    file.write("a,b\nx,2\n");
    assert_eq!(ask("SELECT * FROM t"), [["x", "2"]]);
}

#[test]
fn delimiters() {
    let file = File::new("t.csv", "a;b\n1,5;x\n").with("delimiter = \";\"");
    assert_eq!(file.rows("SELECT * FROM t"), [["1,5", "x"]]);
    let file =
        File::new("export.txt", "a\tb\n1\t2\n").with("format = \"csv\"\ndelimiter = \"\\t\"");
    assert_eq!(file.rows("SELECT a + b FROM t"), [["3"]]);
}

#[test]
fn a_limit_stops_reading() {
    let mut text = "n\n".to_owned();
    for n in 0..100_000 {
        text.push_str(&format!("{n}\n"));
    }
    let file = File::new("t.csv", text);
    assert_eq!(file.rows("SELECT n FROM t LIMIT 2"), [["0"], ["1"]]);
    assert_eq!(file.rows("SELECT n FROM t WHERE n >= 99999 LIMIT 2"), [["99999"]]);
    assert_eq!(file.rows("SELECT n FROM t LIMIT 0"), Vec::<Vec<String>>::new());
    assert_eq!(file.rows("SELECT n FROM t LIMIT 1 OFFSET 99999"), [["99999"]]);
    assert_eq!(file.rows("SELECT count(*) FROM t"), [["100000"]]);
}

#[test]
fn a_local_table_joins_a_provider() {
    let directory = tempfile::tempdir().expect("a directory is made");
    let path = directory.path().join("watchlist.csv");
    let mut world = World::seeded();
    let users = world.run("SELECT user FROM openvpn SINCE 3d GROUP BY user ORDER BY user LIMIT 2");
    let listed: String = users.rows.iter().map(|row| format!("{},leaver\n", row[0])).collect();
    std::fs::write(&path, format!("login,reason\n{listed}nobody,test\n")).expect("it is written");
    world.configure(&table_toml("watchlist", &path, ""));
    let answer = world.run(
        "SELECT w.login, w.reason, count(v.id) AS sessions FROM watchlist w \
         LEFT JOIN openvpn v ON v.user = w.login SINCE 3d GROUP BY w.login, w.reason ORDER BY w.login",
    );
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert_eq!(answer.rows.len(), 3);
    for row in &answer.rows {
        assert_eq!(row[2] == "0", row[0] == "nobody", "{:?}", answer.rows);
    }
    assert_eq!(answer.completeness.connections.len(), 1, "the provider alone");
}

/// Writes a text as a field of CSV, as RFC 4180 has it.
fn field(value: &Option<String>) -> String {
    match value {
        None => String::new(),
        Some(text) => format!("\"{}\"", text.replace('"', "\"\"")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Text that is written with quotes comes back, whatever it is.
    #[test]
    fn text_comes_back(rows in prop::collection::vec(prop::array::uniform2(prop::option::of(".{0,12}|[0-9.,\"\r\n-]{0,12}")), 0..8)) {
        let mut text = "a,b\n".to_owned();
        for [a, b] in &rows {
            text.push_str(&format!("{},{}\r\n", field(a), field(b)));
        }
        let file = File::new("t.csv", text).with("columns = { a = \"text\", b = \"text\" }");
        let found = file.rows("SELECT a IS NULL, b IS NULL, a, b FROM t");
        prop_assert_eq!(found.len(), rows.len());
        for (found, [a, b]) in found.iter().zip(&rows) {
            prop_assert_eq!(&found[0], &a.is_none().to_string());
            prop_assert_eq!(&found[1], &b.is_none().to_string());
            prop_assert_eq!(&found[2], a.as_deref().unwrap_or("NULL"));
            prop_assert_eq!(&found[3], b.as_deref().unwrap_or("NULL"));
        }
    }

    /// Whatever type is guessed for a number, it is written as it was.
    #[test]
    fn a_guess_loses_no_digit(text in "-?[0-9]{1,20}(\\.[0-9]{0,20})?(e-?[0-9]{1,3})?") {
        let file = File::new("t.csv", format!("a\n{text}\n"));
        prop_assert_eq!(file.rows("SELECT a FROM t"), [[text]]);
    }

    /// Any bytes are rows or an error, never a crash, and never fewer rows the second time.
    #[test]
    fn any_bytes_are_rows_or_an_error(bytes in prop::collection::vec(prop::sample::select(b"ab01,;\"\"\r\n\n{}[]:\xc3\xbc\xff".to_vec()), 0..40)) {
        for name in ["t.csv", "t.jsonl", "t.parquet"] {
            let file = File::new(name, &bytes);
            let (all, counted) = (file.ask("SELECT * FROM t"), file.ask("SELECT count(*) FROM t"));
            prop_assert_eq!(all.error.is_some(), counted.error.is_some());
            if all.error.is_none() {
                prop_assert_eq!(&counted.rows[0][0], &all.rows.len().to_string());
            }
        }
    }
}

#[test]
fn times_at_the_ends_of_time_are_values_or_errors() {
    let times = ["+262142-12-31 23:30:00-05:00", "-262143-01-01 00:30:00+05:00"];
    for time in times {
        let file = File::new("t.csv", format!("a\n{time}\n"));
        assert_eq!(file.types(), ["a text"]);
        for sql in [
            format!("SELECT TIMESTAMP '{time}'"),
            format!("SELECT a FROM t WHERE a::timestamp > '{time}'"),
            format!("SELECT a FROM t SINCE '{time}'"),
            "SELECT a FROM t WHERE a::timestamp > '2026-01-01'".to_owned(),
            "SELECT a::timestamp FROM t".to_owned(),
        ] {
            // A value of a row breaks the run, a constant is wrong from the start.
            let error = file.ask(&sql).error.unwrap_or_else(|| panic!("an error was due: {sql}"));
            assert!(error.to_string().contains("time"), "{sql}: {error}");
        }
        let declared = file.with("columns = { a = \"timestamp\" }");
        let expected = format!("t.csv:2: local table `t`: column `a`: `{time}` is no date or time");
        assert_eq!(declared.message("SELECT * FROM t"), expected);
    }
}
