//! The OpenAPI documents, generated from the routes: one for each listener.

mod refusals;

use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::json::WebhookEventJson;
use crate::problem::{Code, ProblemSchema};
use crate::{admin, routes, stream};
use refusals::{Listener, complete};

/// The document of the public listener.
#[must_use]
pub fn public() -> utoipa::openapi::OpenApi {
    complete(Public::openapi(), Listener::Public)
}

/// The document of the admin listener.
#[must_use]
pub fn admin() -> utoipa::openapi::OpenApi {
    complete(Admin::openapi(), Listener::Admin)
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Footlight",
        description = "Real-time talking-avatar sessions, charged in credits per active minute.\n\n\
            Create a session, attach to its stream, send speech: lip-synced video comes back, and only the frames \
            that are driven by your audio and handed to somebody are billed. Idle, paused and unwatched time is free.\n\n\
            Calls carry your API secret in the header `api-secret`; some take a token in its place. What goes wrong is answered as \
            `application/problem+json` with a stable `code`. Credits are exact numbers with at most six decimals. \
            Lists come in pages: send `next_cursor` as `cursor` for the next one.",
    ),
    paths(
        routes::sessions::create, routes::sessions::list, routes::sessions::get, routes::sessions::stop,
        routes::sessions::pause, routes::sessions::resume, routes::sessions::interrupt, routes::events::follow,
        routes::audio::speak, routes::gestures::play, stream::open,
        routes::engines::create_token, routes::engines::heartbeat, routes::engines::create_client_token,
        routes::credits::summary, routes::credits::balance, routes::usage::list, routes::usage_summary::summary,
        routes::journal::list, routes::credits::pricing, routes::me::me,
        routes::avatars::list, routes::avatars::get, routes::avatars::upload, routes::avatars::remove,
        routes::avatars::preview, routes::avatars::bundle, routes::pictures::upload,
        routes::pictures::list, routes::pictures::remove,
        routes::payments::stripe,
        routes::webhooks::create, routes::webhooks::list, routes::webhooks::get, routes::webhooks::delete,
        routes::webhooks::enable, routes::webhooks::deliveries, routes::webhooks::replay,
        routes::webhooks::alerts, routes::webhooks::set_alerts,
        routes::jobs::create, routes::jobs::list, routes::jobs::get, routes::jobs::cancel, routes::jobs::follow,
    ),
    tags(
        (name = "sessions", description = "Create, follow and stop sessions"),
        (name = "engines", description = "Engines elsewhere: self-hosted, on a device, or managed, metering themselves"),
        (name = "speech", description = "What a session says, and what it looks like"),
        (name = "credits", description = "What there is, what it costs, what was used"),
        (name = "avatars", description = "The faces there are, and those that you bring or have made"),
        (name = "payments", description = "What payment providers tell"),
        (name = "jobs", description = "One-time work: asked for, followed, cancelled"),
        (name = "webhooks", description = "Being told of what happens to sessions and credits"),
    ),
    components(schemas(ProblemSchema, WebhookEventJson)),
    security(("api-secret" = [])),
    modifiers(&ApiSecret, &Problems),
)]
struct Public;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Footlight, for operators",
        description = "Accounts, secrets, grants, the node, and the audit. Every call under `/admin/v1` carries the \
            operator's token (`FOOTLIGHT_ADMIN_TOKEN`) as `authorization: Bearer ...`; metrics and probes need none. \
            Keep this listener off the public network.",
    ),
    paths(
        admin::accounts::open, admin::accounts::list, admin::accounts::get, admin::accounts::suspend,
        admin::accounts::resume, admin::accounts::close, admin::accounts::set_limits,
        admin::plans::set, admin::plans::preview, admin::plans::keep, admin::plans::list,
        admin::grants::give, admin::grants::void, admin::accounts::journal, admin::audit::audit,
        admin::secrets::create, admin::secrets::list, admin::secrets::revoke, admin::secrets::rotate,
        admin::secrets::set_spending_limit,
        admin::sessions::list, admin::sessions::get, admin::sessions::stop, admin::sessions::migrate,
        admin::log::list, admin::node::list, admin::node::get, admin::node::drain, admin::node::undrain,
        admin::node::drain_named, admin::node::undrain_named, admin::node::give_up,
        admin::jobs::claim, admin::jobs::progress, admin::jobs::complete, admin::jobs::fail,
        admin::health::metrics, admin::health::healthz, admin::health::readyz,
    ),
    tags(
        (name = "accounts", description = "Who pays, and what they have"),
        (name = "jobs", description = "One-time work, for the workers that do it"),
        (name = "secrets", description = "How accounts prove who they are"),
        (name = "sessions", description = "Sessions of all accounts"),
        (name = "node", description = "This node: how full it is, and emptying it"),
        (name = "health", description = "For probes and Prometheus"),
    ),
    components(schemas(ProblemSchema)),
    security(("admin-token" = [])),
    modifiers(&AdminToken, &Problems),
)]
struct Admin;

struct ApiSecret;

impl Modify for ApiSecret {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = ApiKey::Header(ApiKeyValue::with_description(
            crate::auth::API_SECRET,
            "An account's secret, `fl_live_...`. Keep it on your servers.",
        ));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api-secret", SecurityScheme::ApiKey(scheme));
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "A runtime token (engines elsewhere) or a client token (browsers), `flt1....`, for the calls that name it.",
        ));
        components.add_security_scheme("token", SecurityScheme::Http(token.build()));
    }
}

struct AdminToken;

impl Modify for AdminToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("FOOTLIGHT_ADMIN_TOKEN"));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("admin-token", SecurityScheme::Http(scheme.build()));
    }
}

/// Lists every problem code as `x-problems`, so that the page that problems point to can explain them.
struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let problems: Vec<_> = Code::ALL
            .iter()
            .map(|code| {
                serde_json::json!({
                    "code": code.as_str(),
                    "status": code.status().as_u16(),
                    "title": code.title(),
                    "meaning": code.meaning(),
                })
            })
            .collect();
        let extensions = ExtensionsBuilder::new().add("x-problems", problems).build();
        document.extensions.get_or_insert_default().merge(extensions);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn operations(document: &Value) -> Vec<(String, String, Value)> {
        let paths = document["paths"].as_object().expect("paths");
        let of_path = |(path, item): (&String, &Value)| {
            let item = item.as_object().expect("operations").clone();
            item.into_iter().map(move |(method, operation)| (path.clone(), method, operation)).collect::<Vec<_>>()
        };
        paths.iter().flat_map(of_path).collect()
    }

    #[test]
    fn every_operation_is_named_once_and_explained() {
        for document in [public(), admin()] {
            let document = serde_json::to_value(&document).unwrap();
            assert_eq!(document["openapi"], "3.1.0");
            let mut ids = Vec::new();
            for (path, method, operation) in operations(&document) {
                assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
                ids.push(operation["operationId"].as_str().expect("an id").to_owned());
            }
            let count = ids.len();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), count, "operation ids are unique");
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(entries) => entries.iter().for_each(|(name, value)| match value.as_str() {
                    Some(target) if name == "$ref" => found.push(target.to_owned()),
                    _ => references(value, found),
                }),
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        for document in [public(), admin()] {
            let document = serde_json::to_value(&document).unwrap();
            let mut found = Vec::new();
            references(&document, &mut found);
            assert!(!found.is_empty());
            for target in found {
                assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target} leads nowhere");
            }
        }
    }

    #[test]
    fn every_problem_is_listed_with_its_meaning() {
        let document = serde_json::to_value(public()).unwrap();
        let problems = document["x-problems"].as_array().expect("problems");
        assert_eq!(problems.len(), Code::ALL.len());
        assert!(problems.iter().all(|problem| problem["meaning"].as_str().is_some_and(|text| text.len() > 10)));
    }
}
