//! What SHOW FUNCTIONS tells of the language's own functions.

/// A function for people.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Described {
    /// Its name.
    pub name: &'static str,
    /// `scalar`, `aggregate`, `window` or `table`.
    pub kind: &'static str,
    /// How it is called.
    pub signature: &'static str,
    /// What it gives.
    pub doc: &'static str,
}

/// The functions, in the order of their names.
pub(crate) const DESCRIBED: [Described; 25] = [
    Described {
        name: "ago",
        kind: "scalar",
        signature: "ago(duration)",
        doc: "The instant that long before now().",
    },
    Described {
        name: "cast",
        kind: "scalar",
        signature: "cast(value AS type)",
        doc: "The value as another type; value::type is short for it.",
    },
    Described {
        name: "covered",
        kind: "aggregate",
        signature: "covered(start, end)",
        doc: "The time during which at least one was open, none of it counted twice.",
    },
    Described {
        name: "edit_similarity",
        kind: "scalar",
        signature: "edit_similarity(a, b)",
        doc: "How alike two texts are, from 0 to 1, by the characters that must be changed.",
    },
    Described {
        name: "extract",
        kind: "scalar",
        signature: "extract(part FROM instant)",
        doc: "A part of a time as a number, such as its hour, in the query's time zone.",
    },
    Described {
        name: "first_seen",
        kind: "window",
        signature: "first_seen(value) OVER ([PARTITION BY x] ORDER BY t)",
        doc: "Whether a row is the first of its partition with this value.",
    },
    Described {
        name: "gaps",
        kind: "aggregate",
        signature: "gaps(start, end)",
        doc: "The times between sessions during which none was open, as a list of (start, end).",
    },
    Described {
        name: "geo_distance_km",
        kind: "scalar",
        signature: "geo_distance_km(a, b)",
        doc: "How far two places of geoip() are from each other; also (lat, lon, lat, lon) in degrees.",
    },
    Described {
        name: "geoip",
        kind: "scalar",
        signature: "geoip(ip)",
        doc: "The place of an address: (country, city, latitude, longitude, asn, as_org).",
    },
    Described {
        name: "ip_in",
        kind: "scalar",
        signature: "ip_in(ip, network | list of networks)",
        doc: "Whether an address lies in a network such as 10.0.0.0/8, or in one of several.",
    },
    Described {
        name: "ip_prefix",
        kind: "scalar",
        signature: "ip_prefix(ip, bits)",
        doc: "The network of so many bits that an address lies in, as text.",
    },
    Described {
        name: "is_private",
        kind: "scalar",
        signature: "is_private(ip)",
        doc: "Whether an address is private (RFC 1918, RFC 4193), loopback or link-local.",
    },
    Described {
        name: "max_concurrent",
        kind: "aggregate",
        signature: "max_concurrent(start, end)",
        doc: "How many were open at the same instant, at most.",
    },
    Described {
        name: "md5",
        kind: "scalar",
        signature: "md5(text)",
        doc: "The MD5 hash of a text in hexadecimal digits.",
    },
    Described {
        name: "merge_intervals",
        kind: "aggregate",
        signature: "merge_intervals(start, end)",
        doc: "The times during which at least one was open, as a list of (start, end).",
    },
    Described {
        name: "now",
        kind: "scalar",
        signature: "now()",
        doc: "The instant of the statement, the same wherever it is named.",
    },
    Described {
        name: "overlap",
        kind: "scalar",
        signature: "overlap(a, b)",
        doc: "How long two sessions of the query were open at the same time.",
    },
    Described {
        name: "overlap_end",
        kind: "scalar",
        signature: "overlap_end(a, b)",
        doc: "When the time ended during which two sessions were open; NULL if it has not.",
    },
    Described {
        name: "overlap_start",
        kind: "scalar",
        signature: "overlap_start(a, b)",
        doc: "When the time began during which two sessions were open.",
    },
    Described {
        name: "sessionize",
        kind: "window",
        signature: "sessionize(t, gap) OVER ([PARTITION BY x] ORDER BY t)",
        doc: "The number of the run of activity that a row is in; a pause longer than gap begins one.",
    },
    Described {
        name: "speed_kmh",
        kind: "window",
        signature: "speed_kmh(place, t) OVER ([PARTITION BY x] ORDER BY t)",
        doc: "How fast somebody came here from the last known place; also (lat, lon, t) in degrees.",
    },
    Described {
        name: "time_bucket",
        kind: "scalar",
        signature: "time_bucket(width, instant [, origin])",
        doc: "The beginning of the bucket of that width that an instant falls into; \
              without an origin, buckets begin on Monday 2000-01-03 in the query's time zone.",
    },
    Described {
        name: "today",
        kind: "scalar",
        signature: "today()",
        doc: "The date of now() in the query's time zone.",
    },
    Described {
        name: "transaction_timestamp",
        kind: "scalar",
        signature: "transaction_timestamp()",
        doc: "The same as now().",
    },
    Described {
        name: "unnest",
        kind: "table",
        signature: "unnest(list)",
        doc: "A row for each item of a list; in the list of SELECT.",
    },
];

/// What the language is lowered to; nobody need know these names.
pub(crate) const INTERNAL: [&str; 7] = [
    super::OPEN_DURING,
    super::LIFETIMES_OVERLAP,
    super::LIFETIME_CONTAINS,
    super::ASOF_CONDITION,
    "duration_multiply",
    "duration_divide",
    "duration_ratio",
];
