//! The OpenAPI document and the page that shows it: one file, nothing from anywhere else.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, HttpResponseBuilder};

use crate::fallback::resource;
use crate::openapi;

/// Reads `/openapi.json` and shows it.
const PAGE: &str = include_str!("page.html");
/// The page may run its own script and talk to its own listener, and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
    connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static PUBLIC: LazyLock<String> = LazyLock::new(|| to_json(&openapi::public()));
static ADMIN: LazyLock<String> = LazyLock::new(|| to_json(&openapi::admin()));

pub(crate) fn configure_public(config: &mut ServiceConfig) {
    config
        .service(resource("/", "GET").route(web::get().to(to_docs)))
        .service(resource("/docs", "GET").route(web::get().to(page)))
        .service(resource("/openapi.json", "GET").route(web::get().to(|| async { document(&PUBLIC) })));
}

pub(crate) fn configure_admin(config: &mut ServiceConfig) {
    config
        .service(resource("/", "GET").route(web::get().to(to_docs)))
        .service(resource("/docs", "GET").route(web::get().to(page)))
        .service(resource("/openapi.json", "GET").route(web::get().to(|| async { document(&ADMIN) })));
}

async fn to_docs() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/docs")).finish()
}

async fn page() -> HttpResponse {
    cached(HttpResponse::Ok())
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, PAGE_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(PAGE)
}

fn document(json: &'static str) -> HttpResponse {
    cached(HttpResponse::Ok()).content_type("application/json").body(json)
}

/// A new version must show at once: the page is small enough to be asked for again.
fn cached(mut response: HttpResponseBuilder) -> HttpResponseBuilder {
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    response
}

fn to_json(document: &utoipa::openapi::OpenApi) -> String {
    serde_json::to_string_pretty(document).expect("an OpenAPI document is plain data")
}
