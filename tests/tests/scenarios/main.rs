//! Whole queries, from text to rows, against emulators.
//! `openvpn_rows`: every rule of the provider, boundaries included, against the emulator's truth.
//! `openvpn_requests`: which requests a query costs. `openvpn_faults`: what goes wrong on the way.
//! `openvpn_model`: random queries over random sessions. `formal`, `oam`, `ekran`: all of that for
//! the provider of that name.
//! `model`: random queries over all four, over `sessions`, and joins between them.
//! `sessions`: the union over all connections. `bind_join`: joins that ask by key.
//! `operators`: OVERLAPS, CONTAINS, ASOF JOIN, and windows wherever they may stand.
//! `analysis`: what analysts ask of sessions, with places of addresses.
//! `scan_cache`: rows that are read once for several places. `result_cache`: rows that were read
//! lately. `last_result`: the table `_`.
//! `figures`: what four providers cost. `local_tables`: files as tables. `engine`: what holds of every query. `explain`: what EXPLAIN
//! promises. `plugins`: the wall; `wall`: that it holds. `c_plugin`: the example in C.
//! `old_plugins`: libraries that were built against the oldest header.
//! `parameters`: values from outside. `program`: the binary; `fmt` and `check`: its other two tasks.
//! `config` and `doctor`: what it says of its configuration. `saved`, `query_tests`, `automation`:
//! saved queries, their tests, and what runs them. `streams`: terminals, files and pipes.
//! `contract`: what scripts rely on. `completion`: what may stand where. `prompt`: the binary in a
//! terminal; `prompt_commands`: what its commands do there.
//! `pictures`: sessions over time. `changes`: what has changed since the last run.
//! `mistakes`: what is legal and nevertheless a mistake.
//! `documents`: the examples of the documentation. `traps`: what was wrong once.
//! `tidy`: what must hold of the source itself.

#![expect(clippy::panic, reason = "the helpers of tests fail as tests do")]

mod analysis;
mod automation;
mod bind_join;
#[cfg(unix)]
mod c_plugin;
mod changes;
mod check;
mod completion;
mod config;
mod contract;
mod doctor;
mod documents;
mod ekran;
mod engine;
mod errors;
mod explain;
mod faults;
mod figures;
mod fmt;
mod formal;
mod last_result;
mod local_tables;
mod mistakes;
mod model;
mod oam;
#[cfg(unix)]
mod old_plugins;
mod openvpn_faults;
mod openvpn_model;
mod openvpn_requests;
mod openvpn_rows;
mod operators;
mod parameters;
mod pictures;
mod plugins;
mod program;
#[cfg(unix)]
mod prompt;
#[cfg(unix)]
mod prompt_commands;
mod query_tests;
mod result_cache;
mod saved;
mod scan_cache;
mod secrets;
mod sessions;
#[cfg(target_os = "linux")]
mod streams;
mod tidy;
mod traps;
#[cfg(unix)]
mod wall;
