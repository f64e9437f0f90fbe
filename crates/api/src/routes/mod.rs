//! The public routes, one file per noun.

pub(crate) mod audio;
pub(crate) mod avatars;
pub(crate) mod credits;
pub(crate) mod engines;
pub(crate) mod events;
pub(crate) mod gestures;
pub(crate) mod jobs;
pub(crate) mod journal;
pub(crate) mod me;
pub(crate) mod payments;
pub(crate) mod pictures;
mod scan;
pub(crate) mod sessions;
pub(crate) mod usage;
pub(crate) mod usage_summary;
pub(crate) mod webhooks;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use crate::fallback::{not_found, resource};
use crate::{auth, docs, proxy, stream, trace};

/// All public routes.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config.service(
        web::scope("")
            .wrap(from_fn(trace::trace))
            .configure(docs::configure_public)
            // Before the scope that asks for an account's secret: a payment provider has none, and signs instead.
            .service(resource("/v1/payments/stripe", "POST").route(web::post().to(payments::stripe)))
            .service(
                web::scope("/v1")
                    .wrap(from_fn(proxy::to_owner))
                    .wrap(from_fn(auth::require_credential))
                    .configure(v1)
                    .default_service(web::to(not_found)),
            )
            .service(
                web::scope("/v2")
                    .wrap(from_fn(auth::require_credential))
                    .configure(v2)
                    .default_service(web::to(not_found)),
            )
            .default_service(web::to(not_found)),
    );
}

/// What is asked of one session: of its node, whichever node was asked.
pub(crate) fn of_session(config: &mut ServiceConfig) {
    config
        .service(
            resource("/sessions/{id}", "DELETE, GET")
                .route(web::get().to(sessions::get))
                .route(web::delete().to(sessions::stop)),
        )
        .service(resource("/sessions/{id}/audio", "POST").route(web::post().to(audio::speak)))
        .service(resource("/sessions/{id}/pause", "POST").route(web::post().to(sessions::pause)))
        .service(resource("/sessions/{id}/resume", "POST").route(web::post().to(sessions::resume)))
        .service(resource("/sessions/{id}/interrupt", "POST").route(web::post().to(sessions::interrupt)))
        .service(resource("/sessions/{id}/gestures", "POST").route(web::post().to(gestures::play)))
        .service(resource("/sessions/{id}/stream", "GET").route(web::get().to(stream::open)))
        .service(resource("/sessions/{id}/events", "GET").route(web::get().to(events::follow)))
        .service(resource("/sessions/{id}/heartbeats", "POST").route(web::post().to(engines::heartbeat)))
        .service(resource("/sessions/{id}/client-tokens", "POST").route(web::post().to(engines::create_client_token)));
}

fn v1(config: &mut ServiceConfig) {
    config
        .configure(of_session)
        .service(
            resource("/sessions", "GET, POST")
                .route(web::post().to(sessions::create))
                .route(web::get().to(sessions::list)),
        )
        .service(resource("/runtime-tokens", "POST").route(web::post().to(engines::create_token)))
        .service(resource("/jobs", "GET, POST").route(web::post().to(jobs::create)).route(web::get().to(jobs::list)))
        .service(
            resource("/jobs/{job}", "DELETE, GET")
                .route(web::get().to(jobs::get))
                .route(web::delete().to(jobs::cancel)),
        )
        .service(resource("/jobs/{job}/events", "GET").route(web::get().to(jobs::follow)))
        .service(
            resource("/webhooks", "GET, POST")
                .route(web::post().to(webhooks::create))
                .route(web::get().to(webhooks::list)),
        )
        .service(
            resource("/webhooks/{webhook}", "DELETE, GET")
                .route(web::get().to(webhooks::get))
                .route(web::delete().to(webhooks::delete)),
        )
        .service(resource("/webhooks/{webhook}/enable", "POST").route(web::post().to(webhooks::enable)))
        .service(resource("/webhooks/{webhook}/deliveries", "GET").route(web::get().to(webhooks::deliveries)))
        .service(
            resource("/webhooks/{webhook}/deliveries/{event}/replay", "POST").route(web::post().to(webhooks::replay)),
        )
        .service(
            resource("/credit-alerts", "GET, PUT")
                .route(web::get().to(webhooks::alerts))
                .route(web::put().to(webhooks::set_alerts)),
        )
        .service(resource("/usage", "GET").route(web::get().to(usage::list)))
        .service(resource("/usage/summary", "GET").route(web::get().to(usage_summary::summary)))
        .service(resource("/balance", "GET").route(web::get().to(credits::balance)))
        .service(resource("/journal", "GET").route(web::get().to(journal::list)))
        .service(resource("/pricing", "GET").route(web::get().to(credits::pricing)))
        .service(resource("/me", "GET").route(web::get().to(me::me)))
        .service(
            resource("/avatars", "GET, POST")
                .route(web::get().to(avatars::list))
                .route(web::post().to(avatars::upload)),
        )
        .service(
            resource("/avatars/{avatar}", "DELETE, GET")
                .route(web::get().to(avatars::get))
                .route(web::delete().to(avatars::remove)),
        )
        .service(resource("/avatars/{avatar}/preview", "GET").route(web::get().to(avatars::preview)))
        .service(resource("/avatars/{avatar}/bundle", "GET").route(web::get().to(avatars::bundle)))
        .service(
            resource("/pictures", "GET, POST")
                .route(web::post().to(pictures::upload))
                .route(web::get().to(pictures::list)),
        )
        .service(resource("/pictures/{picture}", "DELETE").route(web::delete().to(pictures::remove)));
}

fn v2(config: &mut ServiceConfig) {
    config.service(resource("/credit-summaries", "GET").route(web::get().to(credits::summary)));
}
