//! Whole queries, from text to rows, against emulators.
//! `openvpn_rows`: every rule of the provider, boundaries included, against the emulator's truth.
//! `openvpn_requests`: which requests a query costs. `openvpn_faults`: what goes wrong on the way.
//! `plugins`: the wall. `program`: the binary. `engine`: what holds of
//! every query. `documents`: the examples of the documentation.
//! `tidy`: what must hold of the source itself.

mod documents;
mod engine;
mod hunt;
mod openvpn_faults;
mod openvpn_requests;
mod openvpn_rows;
mod plugins;
mod program;
mod random;
mod tidy;
