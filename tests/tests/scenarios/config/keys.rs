//! Mistakes that are found whatever is asked: keys, types, names, values.

use super::{VPN, said};

/// Each configuration is wrong as such, whatever is asked.
fn wrong(cases: &[(&str, &str)]) {
    for (config, expected) in cases {
        assert_eq!(said(config, "SELECT 1", None), *expected, "{config}");
    }
}

/// Each line is wrong as the sixth of the connection `vpn`, whatever is asked.
fn wrong_lines(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        let config = format!("{VPN}{line}\n");
        assert_eq!(said(&config, "SELECT 1", None), *expected, "{line}");
    }
}

#[test]
fn unknown_keys_and_sections() {
    wrong(&[
        (
            "[conections.a]\n",
            "1: the configuration has no key `conections` | did you mean `connections`?",
        ),
        (
            "x = 1\n",
            "1: the configuration has no key `x` | its keys are `connections`, `tables`, `settings`, `geoip`",
        ),
        ("\n[setings]\n", "2: the configuration has no key `setings` | did you mean `settings`?"),
        ("connections = 1\n", "1: `connections` must be a table"),
        ("[connections]\na = 1\n", "2: `connections.a` must be a table"),
        ("settings = 1\n", "1: `settings` must be a table"),
        ("[tables]\nt = \"a.csv\"\n", "2: `tables.t` must be a table"),
        (
            "[settings]\ntimezone = \"UTC\"\n",
            "2: `[settings]` has no key `timezone` | did you mean `time_zone`?",
        ),
        (
            "[tables.t]\npath = \"a.csv\"\ncolums = {}\n",
            "3: local table `t` has no key `colums` | did you mean `columns`?",
        ),
    ]);
    wrong_lines(&[(
        "rate_limit = { burst = 20, refill = 1, every = \"15s\" }",
        "6: `rate_limit` has no key `every` | its keys are `burst`, `refill`, `per`",
    )]);
}

#[test]
fn text_that_is_no_toml() {
    wrong(&[
        ("[connections.a\n", "1: not TOML: unclosed table, expected `]`"),
        ("[connections.a]\n[connections.a]\n", "2: not TOML: duplicate key"),
        ("[connections.a]\nplugin = \"x\"\nplugin = \"y\"\n", "3: not TOML: duplicate key"),
    ]);
}

#[test]
fn names() {
    const HINT: &str = "names are lower-case letters, digits and `_`, and begin with no digit";
    for (header, what) in [
        ("[connections.Vpn]", "`Vpn` cannot name a connection"),
        ("[connections.\"vpn-eu\"]", "`vpn-eu` cannot name a connection"),
        ("[connections.1a]", "`1a` cannot name a connection"),
        ("[tables.A]", "`A` cannot name a table"),
    ] {
        assert_eq!(said(&format!("{header}\n"), "SELECT 1", None), format!("1: {what} | {HINT}"));
    }
    wrong(&[
        ("[connections.sessions]\n", "1: `sessions` is reserved and cannot name a connection"),
        ("[connections._]\n", "1: `_` is reserved and cannot name a connection"),
        (
            "[tables.information_schema]\n",
            "1: `information_schema` is reserved and cannot name a table",
        ),
        (
            "[connections.a]\nplugin = \"x\"\n[tables.a]\npath = \"a.csv\"\n",
            "3: `a` names a connection and a table: the other is on line 1",
        ),
        (
            "[tables.a]\npath = \"a.csv\"\n[connections.a]\nplugin = \"x\"\n",
            "3: `a` names a connection and a table: the other is on line 1",
        ),
    ]);
}

#[test]
fn keys_of_a_connection() {
    wrong(&[
        (
            "[connections.vpn]\n",
            "1: connection `vpn` has no `plugin` | name the provider, such as `plugin = \"openvpn\"`",
        ),
        (
            "[connections.vpn]\nplugin = \"../evil\"\n",
            "2: connection `vpn`: `../evil` is not a plugin's name",
        ),
        ("[connections.vpn]\nplugin = 1\n", "2: `plugin` must be text"),
    ]);
    wrong_lines(&[
        ("accept = \"history\"", "6: `accept` must be a list of text"),
        (
            "accept = [\"late\"]",
            "6: connection `vpn`: `accept` names `late`, which is no gap | gaps are `capped`, `history`, `clamped`, `budget`",
        ),
        (
            "accept = [\"auth\"]",
            "6: connection `vpn`: `accept` names `auth`, which is no gap | gaps are `capped`, `history`, `clamped`, `budget`",
        ),
        ("in_sessions = \"no\"", "6: `in_sessions` must be `true` or `false`"),
        ("insecure_tls = 1", "6: `insecure_tls` must be `true` or `false`"),
        ("allow_http = \"yes\"", "6: `allow_http` must be `true` or `false`"),
        ("ca_file = true", "6: `ca_file` must be text"),
        ("token_url = 1", "6: `token_url` must be text"),
        ("timeout = 20", "6: `timeout` must be a duration such as `\"60s\"`"),
        (
            "timeout = \"20\"",
            "6: `timeout`: `20` is not a duration | write it like `90s`, `15m` or `1h30m`",
        ),
        (
            "timeout = \"1.5h\"",
            "6: `timeout`: `1.5h` is not a duration | write it like `90s`, `15m` or `1h30m`",
        ),
        ("timeout = \"0s\"", "6: `timeout` must be above 0"),
        ("max_concurrency = 0", "6: `max_concurrency` must be a whole number above 0"),
        ("max_concurrency = \"4\"", "6: `max_concurrency` must be a whole number above 0"),
        ("rate_limit = 5", "6: `rate_limit` must be a table"),
        (
            "rate_limit = { burst = 20 }",
            "6: `rate_limit` needs `burst`, `refill` and `per` | such as `{ burst = 20, refill = 1, per = \"15s\" }`",
        ),
        (
            "rate_limit = { burst = 0, refill = 1, per = \"15s\" }",
            "6: `burst` must be a whole number above 0",
        ),
        ("rate_limit = { burst = 1, refill = 1, per = \"0s\" }", "6: `per` must be above 0"),
        ("user_case = \"ignore\"", "6: `user_case` is not available yet"),
        (
            "token = { envv = \"X\" }",
            "6: `token`: a reference is `{ env = \"NAME\" }` or `{ file = \"PATH\" }`",
        ),
        (
            "token = { env = \"A\", file = \"b\" }",
            "6: `token`: a reference is `{ env = \"NAME\" }` or `{ file = \"PATH\" }`",
        ),
    ]);
}

#[test]
fn settings() {
    wrong(&[
        (
            "[settings]\ntime_zone = \"Europe/Berln\"\n",
            "2: `time_zone`: no time zone `Europe/Berln` | did you mean `Europe/Berlin`?",
        ),
        (
            "[settings]\ntime_zone = \"Moonbase\"\n",
            "2: `time_zone`: no time zone `Moonbase` | zones are named like `UTC` or `Europe/Berlin`",
        ),
        ("[settings]\ntime_zone = 1\n", "2: `time_zone` must be text"),
        (
            "[settings]\nmemory_limit = \"lots\"\n",
            "2: `memory_limit`: `lots` is not a size | write a number with KB, MB or GB, such as `512MB`",
        ),
        (
            "[settings]\nmemory_limit = \"0MB\"\n",
            "2: `memory_limit`: `0MB` is not a size | write a number with KB, MB or GB, such as `512MB`",
        ),
        ("[settings]\nmemory_limit = 5\n", "2: `memory_limit` must be text"),
        (
            "[settings]\ncache_ttl = \"later\"\n",
            "2: `cache_ttl`: `later` is not a duration | write it like `90s`, `15m` or `1h30m`",
        ),
    ]);
}

#[test]
fn keys_of_a_local_table() {
    const FORMATS: &str = "formats are `csv`, `jsonl` and `parquet`; files end in `.csv`, `.jsonl`, `.ndjson` or `.parquet`, or `format` says it";
    for (keys, what) in [
        ("path = \"a.xls\"", "2: local table `t`: the ending of `a.xls` tells no format"),
        ("path = \"a\"", "2: local table `t`: the ending of `a` tells no format"),
        ("path = \"a.csv\"\nformat = \"tsv\"", "3: local table `t`: `format`: no format `tsv`"),
    ] {
        let config = format!("[tables.t]\n{keys}\n");
        assert_eq!(said(&config, "SELECT 1", None), format!("{what} | {FORMATS}"));
    }
    for (line, expected) in [
        (
            "",
            "1: local table `t` has no `path` | name its file, such as `path = \"watchlist.csv\"`",
        ),
        (
            "path = \"a.csv\"\ndelimiter = \"ab\"",
            "3: local table `t`: `delimiter` must be one ASCII character | such as `delimiter = \";\"` or `delimiter = \"\\t\"`",
        ),
        (
            "path = \"a.jsonl\"\ndelimiter = \";\"",
            "3: local table `t`: `delimiter` has no meaning for jsonl",
        ),
        ("path = \"a.csv\"\ntime = \"began\"", "3: `time` must be a table"),
        (
            "path = \"a.csv\"\ntime = { start = \"a\" }",
            "3: local table `t`: `time` needs `start` and `end` | such as `time = { start = \"began\", end = \"ended\" }`",
        ),
        (
            "path = \"a.csv\"\ntime = { start = \"a\", end = \"a\" }",
            "3: local table `t`: `time` names one column as `start` and as `end`",
        ),
        (
            "path = \"a.csv\"\ntime = { start = \"a\", stop = \"b\" }",
            "3: `time` of local table `t` has no key `stop` | its keys are `start`, `end`",
        ),
        (
            "path = \"a.csv\"\ncolumns = { a = \"string\" }",
            "3: local table `t`: column `a`: no type `string` | types are `text`, `int64`, `float64`, `bool`, `timestamp`, `duration`, `list<text>`, `json`",
        ),
        (
            "path = \"a.csv\"\ncolumns = { a = \"txt\" }",
            "3: local table `t`: column `a`: no type `txt` | did you mean `text`?",
        ),
        (
            "path = \"a.csv\"\ntime = { start = \"a\", end = \"b\" }\ncolumns = { a = \"text\" }",
            "4: local table `t`: `a` is a time column, and those are `timestamp`",
        ),
        (
            "path = \"a.csv\"\ntime_zone = \"Moonbase\"",
            "3: `time_zone`: no time zone `Moonbase` | zones are named like `UTC` or `Europe/Berlin`",
        ),
    ] {
        assert_eq!(said(&format!("[tables.t]\n{line}\n"), "SELECT 1", None), expected, "{line}");
    }
}
