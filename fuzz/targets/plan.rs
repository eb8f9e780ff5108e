//! What parses is planned or refused; nothing panics, and nothing is said to be a bug.
//! The tables are two local files and those of two providers, whose plugins are built with the
//! program: they have time columns, known values and filters that can be pushed. A query is planned
//! as EXPLAIN plans it, so that nothing is sent.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use sessionql_core::config::Config;
use sessionql_core::plugin::PluginPath;
use sessionql_core::{Engine, EngineOptions, ExecuteOptions};
use sessionql_grammar::ast::{Statement, StatementKind};
use sessionql_grammar::parse;

/// Where the plugins are, unless this variable of the environment says otherwise.
const PLUGINS: (&str, &str) =
    ("PLUGINS", concat!(env!("CARGO_MANIFEST_DIR"), "/../target/debug/deps"));

/// Nothing listens there.
const CONNECTIONS: &str = r#"
[connections.openvpn]
plugin = "openvpn"
base_url = "http://127.0.0.1:1"
client_id = "nobody"
client_secret = "nothing"

[connections.formal]
plugin = "formal"
base_url = "http://127.0.0.1:1"
api_key = "nothing"
"#;

struct World {
    engine: Engine,
    runtime: tokio::runtime::Runtime,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let tables = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/tables");
    let toml = format!(
        "{CONNECTIONS}\n[tables.people]\npath = \"{tables}/people.csv\"\n\
         [tables.watchlist]\npath = \"{tables}/watchlist.csv\"\n"
    );
    let config = Config::parse(&toml).expect("the configuration is right");
    let (variable, default) = PLUGINS;
    let plugins = std::env::var_os(variable).map_or_else(|| default.into(), PathBuf::from);
    let plugin_path = PluginPath { directories: vec![plugins] };
    let options = EngineOptions { plugin_path, ..EngineOptions::default() };
    let engine = Engine::new(config, options).expect("the engine starts");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
    let world = World { engine, runtime };
    for table in ["openvpn", "formal", "people", "watchlist"] {
        let planned = plan(&world, &format!("SELECT * FROM {table}"));
        assert_eq!(planned, [Ok(())], "{table} is there");
    }
    world
});

/// Plans each query of a text.
fn plan(world: &World, text: &str) -> Vec<Result<(), String>> {
    let Ok(statements) = parse(text) else { return Vec::new() };
    let now = DateTime::from_timestamp(1_772_971_200, 0);
    let options = ExecuteOptions { now, clock: now, ..ExecuteOptions::default() };
    let mut planned = Vec::new();
    for statement in statements {
        let StatementKind::Query(query) = statement.kind else { continue };
        let kind = StatementKind::Explain { analyze: false, query };
        let explain = Statement { kind, span: statement.span };
        let outcome = world.runtime.block_on(world.engine.execute(text, &explain, &options));
        planned.push(outcome.map(|_| ()).map_err(|error| error.to_string()));
    }
    planned
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for planned in plan(&WORLD, text) {
        // A panic on a thread of the engine ends as an internal error, too.
        if let Err(error) = planned {
            assert!(!error.starts_with("internal error"), "{error}\n{text}");
        }
    }
});
