//! The HTTP surface of a node: routes, WebSocket, authentication, problems, and the OpenAPI document that is made from
//! them.
//!
//! Three listeners share one [`ApiState`]: [`configure_public`] for services and their users, [`configure_admin`] for
//! operators, Prometheus and probes, [`configure_cluster`] for other nodes. Nothing here decides about credits or sessions; handlers read a request, ask the
//! node, and write the answer. Only this crate knows the public JSON.
//!
//! In the order of a first reading:
//!
//! - [`options`]: what an operator may set.
//! - [`problem`]: what goes wrong, as clients see it; `mapping` says which refusal becomes which problem.
//! - [`json`]: the shapes.
//! - `routes`, `stream`, `admin`: the calls, one file per noun.
//! - `auth`, `forwarded`, `body`, `idempotency`, `upload_memory`, `turns`, `decoders`, `trace`: what stands before and around them.
//! - `cluster`: what nodes ask of each other; `proxy`: calls about sessions that live elsewhere; `placing`: where a new one
//!   shall live.
//! - [`openapi`] and `docs`: the same, for readers.

mod admin;
mod auth;
mod body;
mod cluster;
mod connection;
mod decoders;
mod docs;
mod fallback;
mod forwarded;
mod idempotency;
pub mod json;
mod limits;
mod mapping;
pub mod openapi;
mod operator;
pub mod options;
mod placing;
pub mod problem;
mod proxy;
mod routes;
mod secret;
mod seldom;
mod signature;
mod speech;
mod state;
mod stream;
mod token;
mod trace;
mod turns;
mod upload_memory;

use actix_web::web::{Data, ServiceConfig};

pub use cluster::ClusterParts;
pub use connection::tune_connection;
pub use forwarded::Network;
pub use operator::{OperatorToken, Role};
pub use options::{AdminToken, ApiOptions, PaymentOptions, PlanOffer, PlanTerm, WebhookSecret};
pub use problem::{Code, Problem};
pub use proxy::ProxyFigures;
pub use state::{ApiParts, ApiState};

/// Writes an event as it is sent to webhooks.
///
/// # Panics
/// Never: events are strings and numbers.
#[must_use]
pub fn encode_event(event: &footlight_hooks::Event) -> Vec<u8> {
    serde_json::to_vec(&json::WebhookEventJson::of(event)).expect("an event is strings and numbers")
}
pub use token::TokenKey;

/// Puts the public routes into an application.
pub fn configure_public(config: &mut ServiceConfig, state: &Data<ApiState>) {
    config.app_data(state.clone()).configure(routes::configure);
}

/// Puts the routes of the admin listener into an application.
pub fn configure_admin(config: &mut ServiceConfig, state: &Data<ApiState>) {
    config.app_data(state.clone()).configure(admin::configure);
}

/// Puts the routes into an application that nodes serve each other. Without a cluster everything is refused there.
pub fn configure_cluster(config: &mut ServiceConfig, state: &Data<ApiState>) {
    config.app_data(state.clone()).configure(cluster::configure);
}
