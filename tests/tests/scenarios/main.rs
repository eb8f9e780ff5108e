//! Whole queries, from text to rows, against emulators.
//! `openvpn_rows`: every rule of the provider, boundaries included, against the emulator's truth.
//! `openvpn_requests`: which requests a query costs. `openvpn_faults`: what goes wrong on the way.
//! `openvpn_model`: random queries over random sessions. `traps`: what was wrong once.
//! `sessions`: the union over all connections. `engine`: what holds of every query.
//! `plugins`: the wall. `c_plugin`: the example in C. `program`: the binary.
//! `ekran`: rows, requests, faults and random queries of that provider.
//! `formal`: all of that for the provider of that name.
//! `oam`: rows, requests, faults and a model of Oracle Access Manager.
//! `model`: random queries over random sessions, and traps of three-valued logic, time and memory.
//! `explain`: what EXPLAIN promises. `engine`: what holds of every query. `plugins`: the wall. `program`: the binary.
//! `engine`: what holds of every query. `local_tables`: files as tables. `plugins`: the wall. `program`: the binary.
//! `engine`: what holds of every query. `local_tables`: files as tables. `plugins`: the wall.
//! `program`: the binary. `config`: what the binary says of its configuration.
//! `bind_join`: joins that ask by key. `engine`: what holds of every query. `plugins`: the wall. `program`: the binary.
//! `documents`: the examples of the documentation. `tidy`: what must hold of the source itself.

#![expect(clippy::panic, reason = "the helpers of tests fail as tests do")]

mod bind_join;
#[cfg(unix)]
mod c_plugin;
mod config;
mod documents;
mod ekran;
mod engine;
mod explain;
mod local_tables;
mod formal;
mod model;
mod oam;
mod openvpn_faults;
mod openvpn_model;
mod openvpn_requests;
mod openvpn_rows;
mod plugins;
mod program;
mod sessions;
mod tidy;
mod traps;
