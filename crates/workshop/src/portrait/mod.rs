//! Avatar bundles from portraits.
