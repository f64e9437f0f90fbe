//! The HTTP surface over a real node: in-memory store, null renderer, real sockets on free ports.

mod admin;
mod auth;
mod bad_input;
mod cluster;
mod gestures;
mod harness;
mod idempotency;
mod isolation;
mod jobs;
mod manners;
mod payments;
mod plans;
mod secrets;
mod shapes;
mod standing;
mod stream;
mod summaries;
mod tokens;
