//! What other dialects call what this one has under another name, for the hints of unknown names.

/// Functions of other dialects, and what is written instead.
const FUNCTIONS: [(&[&str], &str); 20] = [
    (
        &["getdate", "curdate", "sysdate", "sysdatetime", "getutcdate", "systimestamp", "curtime"],
        "write now() or today()",
    ),
    (
        &["dateadd", "date_add", "date_sub", "adddate", "subdate", "timestampadd", "add_months"],
        "add or subtract a duration: start + 24h, now() - 7d",
    ),
    (
        &["datediff", "date_diff", "timestampdiff", "timestamp_diff", "months_between", "age"],
        "subtract times, which yields a duration: end - start, (end - start) / 1h",
    ),
    (
        &["strftime", "time_format", "format_timestamp", "format_date", "to_varchar"],
        "write to_char(t, '%Y-%m-%d %H:%M')",
    ),
    (
        &["convert", "safe_cast", "try_convert", "to_number", "str", "cstr", "to_int"],
        "write CAST(x AS type), or TRY_CAST for NULL where that fails",
    ),
    (&["isnull"], "write x IS NULL, or coalesce(x, y) for a value in its place"),
    (&["if", "iif", "choose"], "write CASE WHEN … THEN … ELSE … END"),
    (&["group_concat", "listagg", "wm_concat"], "write string_agg(x, ',')"),
    (&["len", "datalength", "strlen"], "write length(x)"),
    (&["charindex", "locate", "patindex"], "write strpos(text, part)"),
    (&["unix_timestamp", "unix_seconds", "to_epoch", "time_to_sec"], "write extract(epoch FROM t)"),
    (
        &[
            "year",
            "quarter",
            "month",
            "week",
            "day",
            "hour",
            "minute",
            "second",
            "dayofweek",
            "weekday",
            "dayofyear",
            "dayofmonth",
            "epoch",
        ],
        "write extract(hour FROM t), and so for each part of a time",
    ),
    (&["date"], "write CAST(t AS date), or date_trunc('day', t)"),
    (&["timestamp_trunc", "datetime_trunc", "trunc_date"], "write date_trunc('hour', t)"),
    (&["safe_divide"], "write a / nullif(b, 0)"),
    (&["countif", "count_if", "sumif", "sum_if"], "write count(*) FILTER (WHERE …)"),
    (&["newid", "gen_random_uuid", "generate_uuid", "rowid"], "write uuid()"),
    (
        &["regexp", "regexp_contains", "regexp_matches", "rlike"],
        "write x ~ '…' for a regular expression",
    ),
    (&["any_value", "arbitrary"], "write min(x) or first_value(x)"),
    (&["inet_aton", "inet", "cidr_contains", "ip_address"], "write ip_in(address, '10.0.0.0/8')"),
];

/// Words of other dialects that look like columns here, and what is written instead.
const WORDS: [(&[&str], &str); 3] = [
    (&["sysdate", "systimestamp", "getdate", "curdate"], "write now() or today"),
    (&["rownum", "rowid", "_rowid_"], "write LIMIT, or row_number() OVER (ORDER BY …)"),
    (&["level"], "write WITH RECURSIVE"),
];

/// Returns what is written instead of a function of another dialect.
pub(super) fn function(name: &str) -> Option<&'static str> {
    find(&FUNCTIONS, name)
}

/// Returns what is written instead of a word of another dialect.
pub(crate) fn word(name: &str) -> Option<&'static str> {
    find(&WORDS, name)
}

fn find(known: &[(&[&str], &'static str)], name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    known.iter().find(|(names, _)| names.contains(&name.as_str())).map(|(_, hint)| *hint)
}
