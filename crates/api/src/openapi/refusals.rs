//! What every call may be answered beside its own answers. It follows from the call's form, so it is added here once instead
//! of at each route: a call with a body can be sent a bad one, and one that asks for a secret can be sent none.

use std::collections::BTreeSet;

use footlight_ledger::Product;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// The calls that take a token in the place of the account's secret.
const FOR_TOKENS: [&str; 6] =
    ["create_session", "get_session", "stop_session", "heartbeat", "session_events", "stream"];

/// Which listener's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listener {
    Public,
    Admin,
}

/// Adds to each operation the refusals that come with its form, and to ids and cursors what they look like.
pub(super) fn complete(document: OpenApi, listener: Listener) -> OpenApi {
    let mut document = serde_json::to_value(document).expect("an OpenAPI document is plain data");
    let emptiable = emptiable(&document["components"]["schemas"]);
    let paths = document["paths"].as_object_mut().expect("a document has paths");
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().expect("a path has operations") {
            if let Some(operation) = operation.as_object_mut() {
                if method == "post" {
                    allow_no_body(operation, &emptiable);
                }
                complete_operation(path, operation, listener);
            }
        }
    }
    serde_json::from_value(document).expect("what was added has the document's own form")
}

/// The shapes of which nothing is required, as they are referred to.
fn emptiable(schemas: &Value) -> BTreeSet<String> {
    let schemas = schemas.as_object().into_iter().flatten();
    let emptiable = schemas.filter(|(_, schema)| schema["required"].as_array().is_none_or(Vec::is_empty));
    emptiable.map(|(name, _)| format!("#/components/schemas/{name}")).collect()
}

/// A POST without a body is one with `{}`.
fn allow_no_body(operation: &mut Map<String, Value>, emptiable: &BTreeSet<String>) {
    let Some(body) = operation.get_mut("requestBody") else { return };
    let shape = body["content"]["application/json"]["schema"]["$ref"].as_str();
    if shape.is_some_and(|shape| emptiable.contains(shape)) {
        body["required"] = json!(false);
    }
}

fn complete_operation(path: &str, operation: &mut Map<String, Value>, listener: Listener) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut).map(std::mem::take);
    let mut parameters = parameters.unwrap_or_default();
    let (mut has_path, mut has_query, mut has_key) = (false, false, false);
    for parameter in &mut parameters {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        match parameter["in"].as_str() {
            Some("path") => has_path = true,
            Some("query") => has_query = true,
            Some("header") if name == "idempotency-key" => has_key = true,
            _ => {}
        }
        if matches!(name.as_str(), "from" | "to") && parameter["in"] == "query" {
            parameter["schema"]["format"] = json!("date-time");
        }
        if let Some(pattern) = pattern_of(path, &name) {
            parameter["schema"]["pattern"] = json!(pattern);
        }
        if parameter["in"] == "query" || parameter["in"] == "header" {
            // One that is left out is left out: there is no way to send null.
            without_null(&mut parameter["schema"]);
        }
    }
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), Value::Array(parameters));
    }
    let has_body = operation.contains_key("requestBody");
    // A signature or a probe stands for itself: such calls name their own security, and it is empty.
    let is_open = operation.get("security").is_some_and(|security| *security == json!([]) || *security == json!([{}]));
    let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default().to_owned();
    if FOR_TOKENS.contains(&id.as_str()) {
        operation.insert("security".to_owned(), json!([{"api-secret": []}, {"token": []}]));
    }
    let mut refusals: Vec<(&str, &str)> = Vec::new();
    if has_query || has_body || has_key {
        refusals.push(("400", "`invalid_body`, `invalid_query`, `idempotency_key_invalid`"));
    }
    if !is_open {
        refusals.push(match listener {
            Listener::Public => ("401", "`api_secret_missing`, `api_secret_invalid`, `token_invalid`, `token_expired`"),
            Listener::Admin => ("401", "`admin_token_missing`, `admin_token_invalid`"),
        });
        refusals.push(match listener {
            Listener::Public => ("403", "`token_not_enough`, `account_suspended`, `account_closed`"),
            Listener::Admin => ("403", "`role_missing`, `admin_disabled`, `account_closed`"),
        });
    }
    let names_account = listener == Listener::Admin && id == "audit";
    if has_path || names_account {
        refusals.push(("404", "There is nothing by that id, or it belongs to another account"));
    }
    if has_body {
        refusals.push(("408", "`body_timeout`"));
        refusals.push(("413", "`body_too_large`"));
    }
    if has_key {
        refusals.push(("409", "`idempotency_in_progress`"));
    }
    if has_query || has_body || has_key {
        refusals.push(("422", "`invalid_field`, `idempotency_key_reused`"));
    }
    match listener {
        Listener::Public if id == "heartbeat" || is_open => {}
        Listener::Public => refusals.push(("429", "`rate_limited`, `too_many_failures`, with `Retry-After`")),
        Listener::Admin if is_open => {}
        Listener::Admin => refusals.push(("429", "`too_many_failures`, with `Retry-After`")),
    }
    refusals.push(("500", "`internal`: a fault of ours; the log has it under the answer's `x-request-id`"));
    refusals.push(("503", "`store_unreachable`, with `Retry-After`"));
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    for (status, description) in refusals {
        if responses.get(status).is_none() {
            responses[status] = json!({
                "description": description,
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            });
        }
    }
}

/// How a parameter must look, where its type does not say it.
fn pattern_of(path: &str, name: &str) -> Option<String> {
    let id = |prefix: &str| Some(format!("^{prefix}_[0-9a-f]{{32}}$"));
    match (name, path) {
        ("idempotency-key", _) => Some("^[!-~]{1,255}$".to_owned()),
        ("session", _) => id("ses"),
        ("account", _) => id("acc"),
        ("secret", _) => id("sec"),
        ("grant", _) => id("gra"),
        ("product", _) => Some(one_of(Product::ALL.map(Product::as_str))),
        ("state", path) if path.ends_with("/sessions") => {
            Some(one_of(["starting", "running", "idle", "paused", "ended"]))
        }
        ("job", _) | ("cursor", "/v1/jobs") => id("job"),
        ("picture", _) => id("pic"),
        ("avatar", _) => Some("^[a-z0-9-]{1,40}$".to_owned()),
        ("cursor", "/v1/sessions" | "/admin/v1/sessions") => id("ses"),
        ("cursor", "/admin/v1/accounts" | "/admin/v1/audit") => id("acc"),
        ("cursor", "/admin/v1/log") => {
            Some("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$".to_owned())
        }
        ("cursor", path) if path.ends_with("/journal") || path.ends_with("/usage") => Some("^[0-9]{1,15}$".to_owned()),
        _ => None,
    }
}

fn one_of<const N: usize>(words: [&str; N]) -> String {
    format!("^({})$", words.join("|"))
}

fn without_null(schema: &mut Value) {
    let Some(types) = schema.get_mut("type") else { return };
    if let Some(only) = types.as_array().filter(|types| types.len() == 2) {
        let kept = only.iter().find(|kind| **kind != "null").cloned();
        *types = kept.unwrap_or_else(|| types.clone());
    }
}
