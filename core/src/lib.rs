//! The SessionQL engine.
//! In: query text, a configuration, a place with plugins. Out: record batches, and a report of what
//! they cover. [`Engine::execute`] is the way in; `engine.rs` tells the story from text to rows.
//! Prints nothing, reads no environment variable and no home directory.

pub mod complete;
pub mod completeness;
pub mod config;
pub mod display;
pub mod duration;
pub mod engine;
pub mod error;
pub mod explain;
pub mod fixture;
pub mod geo;
pub mod http;
pub mod instant;
pub mod last;
pub mod lower;
pub mod parameters;
pub mod plugin;

mod asof;
mod bind_join;
mod cache;
mod catalog;
mod columns;
mod connection;
mod functions;
mod interval_join;
mod keyed;
mod local;
mod lookup;
mod pushdown;
mod rules;
mod scan;
mod sessions;
mod statement;
mod table;

pub use cache::CacheSize;
pub use complete::{Candidate, CandidateKind, Completion};
pub use engine::{Completer, Engine, EngineOptions, ExecuteOptions, Outcome, Warning, type_word};
pub use error::Error;
pub use explain::Explanation;
pub use functions::Function;
pub use lookup::KeyLimits;
pub use parameters::Parameters;
pub use sessionql_plugin_abi::Reason;
