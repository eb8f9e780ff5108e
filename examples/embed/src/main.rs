//! A program that runs queries through the engine of SessionQL.

fn main() {}
