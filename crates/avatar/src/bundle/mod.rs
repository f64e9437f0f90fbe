//! Avatar bundles.
