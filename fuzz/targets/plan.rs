//! What parses is planned or refused; nothing panics.
//! The tables are two local files, so that nothing could be sent.

#![no_main]

use std::sync::LazyLock;

use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use sessionql_core::config::Config;
use sessionql_core::{Engine, EngineOptions, ExecuteOptions};
use sessionql_grammar::ast::{Statement, StatementKind};
use sessionql_grammar::parse;

struct World {
    engine: Engine,
    runtime: tokio::runtime::Runtime,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/tables");
    let toml = format!(
        "[tables.people]\nfile = \"{directory}/people.csv\"\n\
         [tables.watchlist]\nfile = \"{directory}/watchlist.csv\"\n"
    );
    let config = Config::parse(&toml).expect("the configuration is right");
    let engine = Engine::new(config, EngineOptions::default()).expect("the engine starts");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
    World { engine, runtime }
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(statements) = parse(text) else { return };
    let now = DateTime::from_timestamp(1_772_971_200, 0);
    let options = ExecuteOptions { now, clock: now, ..ExecuteOptions::default() };
    for statement in statements {
        let StatementKind::Query(query) = statement.kind else { continue };
        let kind = StatementKind::Explain { analyze: false, query };
        let explain = Statement { kind, span: statement.span };
        let planned = WORLD.runtime.block_on(WORLD.engine.execute(text, &explain, &options));
        if let Err(error) = planned {
            // A panic on a thread of the engine ends as an internal error.
            assert!(!error.to_string().contains("panic"), "{error}\n{text}");
        }
    }
});
