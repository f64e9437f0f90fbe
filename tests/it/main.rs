//! Footlight from outside: real nodes, real stores, real sockets.
//!
//! Tests that take over half a minute run when `FOOTLIGHT_SLOW_TESTS` is set; each says so when it skips.

mod avatars;
mod bad_input;
mod chaos;
mod charging;
mod cluster;
mod connections;
mod crash;
mod demo;
mod engines;
mod full_disk;
mod interrupt;
mod isolation;
mod jobs;
mod metered_render;
mod migrate;
mod observability;
mod outage;
mod portraits;
mod prices;
mod schema;
mod sharing;
mod slow_reader;
mod stores;
mod webhooks;

/// Whether slow tests are wanted; says so when they are not.
fn slow_tests(name: &str) -> bool {
    let wanted = std::env::var_os("FOOTLIGHT_SLOW_TESTS").is_some();
    if !wanted {
        eprintln!("{name}: skipped; set FOOTLIGHT_SLOW_TESTS=1 to run it");
    }
    wanted
}
