//! Bundles that are good, and bundles that are not.
