//! SessionQL provider for Formal.
