//! SessionQL provider for Oracle Access Manager.
