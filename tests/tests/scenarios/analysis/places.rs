//! Places of addresses: what databases say, what is said if there is none, and that no file, however
//! damaged, is more than an error.

use std::net::IpAddr;
use std::path::Path;

use proptest::prelude::*;
use sessionql_core::Engine;
use sessionql_core::config::Config;
use sessionql_core::geo::PlaceFile;
use sessionql_sandbox::Clock;
use sessionql_sandbox::places::{PlaceRecord, database};
use sessionql_tests::{BEGIN, engine, instant, run};
use tempfile::TempDir;

fn city(network: &str, country: &str, city: &str, location: (f64, f64)) -> PlaceRecord {
    PlaceRecord {
        network: network.to_owned(),
        country: Some(country.to_owned()),
        city: Some(city.to_owned()),
        location: Some(location),
        autonomous_system: None,
    }
}

fn system(network: &str, number: u32) -> PlaceRecord {
    PlaceRecord {
        network: network.to_owned(),
        autonomous_system: Some((number, "Sample Networks".to_owned())),
        ..PlaceRecord::default()
    }
}

/// A database of cities.
fn cities() -> Vec<u8> {
    let records = [
        city("192.0.2.0/25", "XA", "Middleton", (0.0, 0.0)),
        city("198.51.100.0/24", "XB", "Eastmarket", (0.0, 90.0)),
        city("2001:db8::/33", "XC", "Ümlautingen on the very long river", (90.0, 0.0)),
        PlaceRecord { location: None, ..city("203.0.113.64/26", "XA", "Nowhere", (0.0, 0.0)) },
    ];
    database(&records).expect("the networks are right")
}

/// A database of autonomous systems.
fn systems() -> Vec<u8> {
    let records = [system("192.0.2.0/24", 64_496), system("2001:db8:8000::/33", 65_551)];
    database(&records).expect("the networks are right")
}

/// An engine with files of places.
struct World {
    engine: Engine,
    directory: TempDir,
}

impl World {
    fn of(files: &[(&str, &[u8])]) -> Self {
        let directory = tempfile::tempdir().expect("a directory is made");
        let mut paths = Vec::new();
        for (name, bytes) in files {
            let path = directory.path().join(name);
            std::fs::write(&path, bytes).expect("the file is written");
            paths.push(format!("{path:?}"));
        }
        let config = match paths.as_slice() {
            [] => String::new(),
            paths => format!("[geoip]\nfiles = [{}]\n", paths.join(", ")),
        };
        let engine = engine(&config, &Clock::fixed(instant(BEGIN)));
        Self { engine, directory }
    }

    fn one(&self, expression: &str) -> String {
        let sql = format!("SELECT {expression}");
        let answer = run(&self.engine, &sql, &Default::default());
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        answer.rows[0].join(" ")
    }

    fn error(&self, sql: &str) -> String {
        let error = run(&self.engine, sql, &Default::default()).error;
        let error = error.unwrap_or_else(|| panic!("an error was due: {sql}"));
        let place = error.span().map_or("nowhere", |span| span.of(sql));
        let hint = error.hint().map_or(String::new(), |hint| format!("; hint: {hint}"));
        let directory = self.directory.path().display().to_string();
        format!("{error}; at `{place}`{hint}").replace(&directory, "DIR")
    }
}

#[test]
fn a_place_has_what_the_databases_know() {
    let world = World::of(&[("city.mmdb", &cities()), ("asn.mmdb", &systems())]);
    for (address, place) in [
        (
            "'192.0.2.7'",
            "{country: XA, city: Middleton, latitude: 0.0, longitude: 0.0, asn: 64496, as_org: Sample Networks}",
        ),
        (
            "'192.0.2.200'",
            "{country: , city: , latitude: , longitude: , asn: 64496, as_org: Sample Networks}",
        ),
        (
            "'203.0.113.99'",
            "{country: XA, city: Nowhere, latitude: , longitude: , asn: , as_org: }",
        ),
        (
            "'2001:db8::1'",
            "{country: XC, city: Ümlautingen on the very long river, latitude: 90.0, longitude: 0.0, asn: , as_org: }",
        ),
        (
            "'::ffff:198.51.100.9'",
            "{country: XB, city: Eastmarket, latitude: 0.0, longitude: 90.0, asn: , as_org: }",
        ),
        ("'203.0.113.1'", "NULL"),
        ("'2001:db9::1'", "NULL"),
        ("'no address'", "NULL"),
        ("NULL", "NULL"),
    ] {
        let found =
            world.one(&format!("geoip({address})")).replace("NULL,", ",").replace("NULL}", "}");
        assert_eq!(found, place, "{address}");
    }
    assert_eq!(world.one("(geoip('192.0.2.7')).city"), "Middleton");
    assert_eq!(world.one("(geoip('2001:db8:8000::1')).asn"), "65551");
    assert_eq!(world.one("(geoip('203.0.113.1')).city IS NULL"), "true");
}

#[test]
fn distances_of_places() {
    let world = World::of(&[("city.mmdb", &cities())]);
    let km = |a: &str, b: &str| world.one(&format!("round(geo_distance_km({a}, {b}), 3)"));
    assert_eq!(km("geoip('192.0.2.7')", "geoip('198.51.100.9')"), "10007.557");
    assert_eq!(km("geoip('192.0.2.7')", "geoip('192.0.2.8')"), "0.0");
    assert_eq!(km("geoip('192.0.2.7')", "geoip('203.0.113.99')"), "NULL");
    assert_eq!(km("geoip('192.0.2.7')", "geoip('203.0.113.1')"), "NULL");
    assert_eq!(km("geoip('192.0.2.7')", "NULL"), "NULL");
    assert_eq!(world.one("round(geo_distance_km(0, 0, 0, 1), 3)"), "111.195");
    assert_eq!(world.one("geo_distance_km(0, 0, 91, 1)"), "NULL");
    assert_eq!(
        world.error("SELECT geo_distance_km('192.0.2.7', '192.0.2.8')"),
        "`geo_distance_km` takes two places of `geoip`, or two latitudes with longitudes; \
         at `geo_distance_km('192.0.2.7', '192.0.2.8')`"
    );
}

#[test]
fn speeds_between_places() {
    let world = World::of(&[("city.mmdb", &cities())]);
    let sql = "SELECT round(speed_kmh(geoip(ip), t) OVER (ORDER BY t, ip)) AS kmh, ip FROM (VALUES \
               ('192.0.2.7', TIMESTAMP '2026-03-15 08:00'), \
               ('203.0.113.1', TIMESTAMP '2026-03-15 09:00'), \
               ('198.51.100.9', TIMESTAMP '2026-03-15 10:00'), \
               ('2001:db8::1', TIMESTAMP '2026-03-15 10:00')) AS v (ip, t) ORDER BY t, ip";
    let answer = run(&world.engine, sql, &Default::default());
    assert!(answer.error.is_none(), "{:?}", answer.error);
    let speeds: Vec<&str> = answer.rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(speeds, ["NULL", "NULL", "5004.0", "inf"]);
    assert!(
        world
            .error("SELECT speed_kmh(geoip('192.0.2.7'), now())")
            .starts_with("`speed_kmh` needs OVER with ORDER BY")
    );
}

#[test]
fn without_a_database_there_are_no_places() {
    let world = World::of(&[]);
    assert_eq!(
        world.error("SELECT user, geoip(client_ip) FROM nowhere WHERE geoip('192.0.2.1') IS NULL"),
        "no table `nowhere`: no connection is configured; at `nowhere`"
    );
    assert_eq!(
        world.error("SELECT (geoip('192.0.2.1')).city"),
        "`geoip` has no database of places; at `geoip`; \
         hint: name one in the configuration: [geoip] with files = [\"….mmdb\"]"
    );
}

#[test]
fn files_are_opened_when_they_are_needed() {
    let world = World::of(&[("city.mmdb", &cities()), ("notes.mmdb", b"no database")]);
    assert_eq!(world.one("1"), "1");
    let message = world.error("SELECT geoip('192.0.2.1')");
    assert!(message.starts_with("`DIR/notes.mmdb` is no database of places: "), "{message}");
    assert!(message.ends_with("; at `geoip`"), "{message}");
    std::fs::remove_file(world.directory.path().join("city.mmdb")).unwrap();
    let message = world.error("EXPLAIN SELECT geoip('192.0.2.1')");
    assert!(
        message.starts_with("the database of places `DIR/city.mmdb` cannot be read: "),
        "{message}"
    );
    std::fs::write(world.directory.path().join("city.mmdb"), cities()).unwrap();
    std::fs::write(world.directory.path().join("notes.mmdb"), systems()).unwrap();
    assert_eq!(world.one("(geoip('192.0.2.1')).asn"), "64496", "it is tried again");
}

#[test]
fn files_stand_beside_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    std::fs::write(&path, "[geoip]\nfiles = [\"db/city.mmdb\"]\n").unwrap();
    let config = Config::load(&path).unwrap();
    assert_eq!(config.geoip.files, [directory.path().join("db/city.mmdb")]);
    for (text, message) in [
        ("[geoip]\n", "`[geoip]` names no database"),
        ("[geoip]\nfiles = []\n", "`[geoip]` names no database"),
        ("[geoip]\nfile = \"a.mmdb\"\n", "`[geoip]` has no key `file`"),
        ("[geoip]\nfiles = \"a.mmdb\"\n", "`files` must be a list of text"),
        ("geoip = \"a.mmdb\"\n", "`geoip` must be a table"),
    ] {
        assert_eq!(Config::parse(text).unwrap_err().message, message, "{text}");
    }
}

fn addresses() -> [IpAddr; 5] {
    ["192.0.2.7", "198.51.100.9", "203.0.113.99", "255.255.255.255", "2001:db8::1"]
        .map(|address| address.parse().expect("it is an address"))
}

/// Reads a database and looks addresses up; what comes of it does not matter.
fn look_into(bytes: Vec<u8>) {
    if let Ok(file) = PlaceFile::parse(Path::new("some.mmdb"), bytes) {
        for address in addresses() {
            let _found = file.find(address);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn a_damaged_database_is_no_more_than_an_error(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
        added in proptest::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut bytes = cities();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes.extend(added);
        look_into(bytes);
    }

    #[test]
    fn any_bytes_are_no_more_than_an_error(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..300),
        metadata in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        look_into(bytes.clone());
        bytes.extend(b"\xab\xcd\xefMaxMind.com");
        bytes.extend(metadata);
        look_into(bytes);
    }
}

#[test]
fn each_byte_of_a_database_may_be_any_other() {
    let bytes = cities();
    for at in 0..bytes.len() {
        for byte in [0x00, 0x01, 0x20, 0x40, 0x7f, 0x80, 0xe0, 0xff, bytes[at] ^ 1] {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            look_into(bytes);
        }
    }
}
