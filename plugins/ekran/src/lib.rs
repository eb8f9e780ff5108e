//! SessionQL provider for Ekran System.
