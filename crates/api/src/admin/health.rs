//! What probes and Prometheus read. Without a token: this listener is not for the public.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::ApiState;

/// The content type of Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether the node may take new sessions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Readiness)]
pub(crate) struct ReadinessJson {
    /// Yes or no.
    pub ready: bool,
    /// Why not: `draining`, `store_unreachable`, `lease_over`, `at_capacity`.
    #[schema(value_type = Vec<String>)]
    pub reasons: Vec<footlight_actors::UnreadyReason>,
}

/// Metrics
#[utoipa::path(
    get, path = "/metrics", tag = "health", operation_id = "metrics", security(()),
    responses((status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain")),
)]
pub(crate) async fn metrics(state: web::Data<ApiState>) -> HttpResponse {
    HttpResponse::Ok().content_type(METRICS_TYPE).body(state.node.metrics())
}

/// Is the process alive?
///
/// Of this process alone: a store that cannot be reached is no reason to be restarted.
#[utoipa::path(
    get, path = "/healthz", tag = "health", operation_id = "healthz", security(()),
    responses((status = 200, description = "It is", body = String, content_type = "text/plain")),
)]
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// May it take new sessions?
#[utoipa::path(
    get, path = "/readyz", tag = "health", operation_id = "readyz", security(()),
    responses(
        (status = 200, description = "It may", body = ReadinessJson),
        (status = 503, description = "It may not, and why", body = ReadinessJson),
    ),
)]
pub(crate) async fn readyz(state: web::Data<ApiState>) -> HttpResponse {
    let readiness = state.node.readiness();
    let mut response = if readiness.ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(ReadinessJson { ready: readiness.ready, reasons: readiness.reasons })
}
