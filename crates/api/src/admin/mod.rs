//! The admin listener: what Prometheus and probes read, and what the operator does.

pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod grants;
pub(crate) mod health;
pub(crate) mod jobs;
pub(crate) mod log;
pub(crate) mod node;
pub(crate) mod plans;
pub(crate) mod secrets;
pub(crate) mod sessions;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use crate::fallback::{not_found, resource};
use crate::{auth, docs, proxy, trace};

/// All routes of the admin listener.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config.service(
        web::scope("")
            .wrap(from_fn(trace::trace))
            .configure(docs::configure_admin)
            .service(resource("/metrics", "GET").route(web::get().to(health::metrics)))
            .service(resource("/healthz", "GET").route(web::get().to(health::healthz)))
            .service(resource("/readyz", "GET").route(web::get().to(health::readyz)))
            .service(
                web::scope("/admin/v1")
                    .wrap(from_fn(proxy::to_owner))
                    .wrap(from_fn(auth::require_operator))
                    .configure(v1)
                    .default_service(web::to(not_found)),
            )
            .default_service(web::to(not_found)),
    );
}

/// What is asked of one node, or of the one that has a session: other nodes pass it on.
pub(crate) fn of_node(config: &mut ServiceConfig) {
    config
        .service(
            resource("/sessions/{id}", "DELETE, GET")
                .route(web::get().to(sessions::get))
                .route(web::delete().to(sessions::stop)),
        )
        .service(resource("/sessions/{id}/migrate", "POST").route(web::post().to(sessions::migrate)))
        .service(
            resource("/nodes/{name}", "DELETE, GET")
                .route(web::get().to(node::get))
                .route(web::delete().to(node::give_up)),
        )
        .service(resource("/nodes/{name}/drain", "POST").route(web::post().to(node::drain_named)))
        .service(resource("/nodes/{name}/undrain", "POST").route(web::post().to(node::undrain_named)))
        .service(resource("/drain", "POST").route(web::post().to(node::drain)))
        .service(resource("/undrain", "POST").route(web::post().to(node::undrain)));
}

fn v1(config: &mut ServiceConfig) {
    config
        .configure(of_node)
        .service(
            resource("/accounts", "GET, POST")
                .route(web::post().to(accounts::open))
                .route(web::get().to(accounts::list)),
        )
        .service(resource("/accounts/{account}", "GET").route(web::get().to(accounts::get)))
        .service(resource("/accounts/{account}/suspend", "POST").route(web::post().to(accounts::suspend)))
        .service(resource("/accounts/{account}/resume", "POST").route(web::post().to(accounts::resume)))
        .service(resource("/accounts/{account}/close", "POST").route(web::post().to(accounts::close)))
        .service(resource("/accounts/{account}/plan", "PUT").route(web::put().to(plans::set)))
        .service(resource("/accounts/{account}/plan/preview", "POST").route(web::post().to(plans::preview)))
        .service(resource("/accounts/{account}/plan/next", "DELETE").route(web::delete().to(plans::keep)))
        .service(resource("/accounts/{account}/limits", "PUT").route(web::put().to(accounts::set_limits)))
        .service(
            resource("/accounts/{account}/secrets", "GET, POST")
                .route(web::post().to(secrets::create))
                .route(web::get().to(secrets::list)),
        )
        .service(resource("/accounts/{account}/secrets/{secret}", "DELETE").route(web::delete().to(secrets::revoke)))
        .service(resource("/accounts/{account}/secrets/{secret}/rotate", "POST").route(web::post().to(secrets::rotate)))
        .service(
            resource("/accounts/{account}/secrets/{secret}/spending-limit", "PUT")
                .route(web::put().to(secrets::set_spending_limit)),
        )
        .service(resource("/accounts/{account}/grants", "POST").route(web::post().to(grants::give)))
        .service(resource("/accounts/{account}/grants/{grant}/void", "POST").route(web::post().to(grants::void)))
        .service(resource("/accounts/{account}/journal", "GET").route(web::get().to(accounts::journal)))
        .service(resource("/plans", "GET").route(web::get().to(plans::list)))
        .service(resource("/sessions", "GET").route(web::get().to(sessions::list)))
        .service(resource("/nodes", "GET").route(web::get().to(node::list)))
        .service(resource("/jobs/claim", "POST").route(web::post().to(jobs::claim)))
        .service(resource("/jobs/{job}/progress", "POST").route(web::post().to(jobs::progress)))
        .service(resource("/jobs/{job}/complete", "POST").route(web::post().to(jobs::complete)))
        .service(resource("/jobs/{job}/fail", "POST").route(web::post().to(jobs::fail)))
        .service(resource("/log", "GET").route(web::get().to(log::list)))
        .service(resource("/audit", "GET").route(web::get().to(audit::audit)));
}
