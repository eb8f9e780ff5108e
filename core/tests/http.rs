//! The host's HTTP against a server on loopback: one test per rule, named after it.
//! Waits are shortened by options, or run on paused time.

#![expect(clippy::unwrap_used, reason = "a test helper that fails is a test that fails")]

#[path = "http/answer.rs"]
mod answer;
#[path = "http/auth.rs"]
mod auth;
#[path = "http/limits.rs"]
mod limits;
#[path = "http/load.rs"]
mod load;
#[path = "http/origin.rs"]
mod origin;
#[path = "http/retry.rs"]
mod retry;
#[path = "http/server.rs"]
mod server;
#[path = "http/throttle.rs"]
mod throttle;
#[path = "http/tls.rs"]
mod tls;
