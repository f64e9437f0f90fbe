//! One account can neither touch another's things nor find out that they exist: every call of the public document is tried,
//! with another's ids and with ids that nobody has, and must be answered alike. Then with credentials that are none.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use footlight_tests::{Client, NodeSetup, RedisServer, speech};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::avatars::with_manifest;

/// A word that only the victim's things carry.
const MARK: &str = "only-the-owner-knows-this-word";
/// Headers that tell of the moment, the limit or the connection, whatever was asked.
const NOT_ABOUT_IT: [&str; 4] = ["date", "x-request-id", "ratelimit", "connection"];

/// One call of the document.
#[derive(Debug, Clone)]
struct Operation {
    method: Method,
    path: String,
    id: String,
}

impl Operation {
    fn is_about_a_thing(&self) -> bool {
        self.path.contains('{')
    }

    /// The path with `thing` for its first parameter; further ones get ids that nobody has.
    fn at(&self, thing: &str) -> String {
        let mut filled = String::new();
        let mut is_first = true;
        for step in self.path.split_inclusive('/') {
            if step.starts_with('{') {
                filled.push_str(if is_first { thing } else { "whd_00000000000000000000000000000000" });
                filled.push_str(if step.ends_with('/') { "/" } else { "" });
                is_first = false;
            } else {
                filled.push_str(step);
            }
        }
        filled
    }

    /// A body that this call takes, so that it gets as far as looking for the thing.
    fn with_body(&self, request: RequestBuilder) -> RequestBuilder {
        match self.id.as_str() {
            "speak" => request.header("content-type", "audio/wav").body(speech::buzz(0.1, 16_000)),
            "heartbeat" => request.json(&json!({"epoch": 1, "request_number": 1, "units": 0})),
            "create_webhook" => request.json(&json!({"url": "https://hooks.example/hook"})),
            "create_runtime_token" => request.json(&json!({"surface": "self_hosted"})),
            "play_gesture" => request.json(&json!({"gesture": "nod"})),
            _ if self.method == Method::GET => request,
            _ => request.json(&json!({})),
        }
    }
}

async fn operations(url: &str) -> anyhow::Result<Vec<Operation>> {
    let http = footlight_client::http_client(Duration::from_secs(60))?;
    let document: Value = http.get(format!("{url}/openapi.json")).send().await?.json().await?;
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().context("paths")? {
        for (method, operation) in item.as_object().context("operations")? {
            let method = Method::from_bytes(method.to_uppercase().as_bytes())?;
            // Some calls carry a proof of their own, such as a payment provider's signature: no account's things are behind them.
            if operation["security"] == json!([{}]) || operation["security"] == json!([]) {
                continue;
            }
            let id = operation["operationId"].as_str().context("an operation's id")?.to_owned();
            found.push(Operation { method, path: path.clone(), id });
        }
    }
    ensure!(found.len() > 15, "only {} operations", found.len());
    Ok(found)
}

/// What somebody may learn from an answer: everything but the words that change by themselves.
async fn told(request: RequestBuilder, id: &str) -> anyhow::Result<(StatusCode, BTreeSet<String>, String)> {
    let answer = request.send().await?;
    let status = answer.status();
    let headers = answer.headers().keys().map(|name| name.as_str().to_owned());
    let headers = headers.filter(|name| !NOT_ABOUT_IT.contains(&name.as_str())).collect();
    // What streams does so for ever; its head says enough.
    let body = tokio::time::timeout(Duration::from_secs(1), answer.text()).await.unwrap_or(Ok("…".to_owned()))?;
    Ok((status, headers, body.replace(id, "ID")))
}

/// What the victim has beside sessions.
struct Things {
    webhook: String,
    job: String,
    avatar: String,
    picture: String,
}

/// The victim's thing at a path, and an id of the same kind that nobody has.
fn thing_at(path: &str, things: &Things, session: &str) -> anyhow::Result<(String, String)> {
    let nobodys = |prefix: &str| format!("{prefix}_01999999999979999999999999999999");
    Ok(match path {
        _ if path.starts_with("/v1/sessions/") => (session.to_owned(), nobodys("ses")),
        _ if path.starts_with("/v1/webhooks/") => (things.webhook.clone(), nobodys("whk")),
        _ if path.starts_with("/v1/jobs/") => (things.job.clone(), nobodys("job")),
        _ if path.starts_with("/v1/avatars/") => (things.avatar.clone(), "nobody-has-this".to_owned()),
        _ if path.starts_with("/v1/pictures/") => (things.picture.clone(), nobodys("pic")),
        _ => bail!("this test does not know what is at {path}: teach it, with a thing of the victim's"),
    })
}

async fn nothing_is_told(setup: NodeSetup) -> anyhow::Result<()> {
    let setup = setup.without_pictures().set("tokens.runtime_lifetime", "20s").set("limits.failures_per_minute", "0");
    let setup = setup.set("jobs.prices.book", "1").set("webhooks.allow_private_addresses", "true");
    let node = setup.start().await?;
    let (victim, stranger) = (node.customer("50").await?, node.customer("50").await?);
    let marked = |body: Value| {
        let mut body = body;
        body["metadata"] = json!({ "mark": MARK });
        body
    };
    let session = victim.create(marked(json!({}))).await?;
    let engine = victim.create(marked(json!({"product": "essence_self_hosted"}))).await?;
    let hook = json!({"url": "https://hooks.example/only-the-owner-knows-this-word"});
    let webhook = victim.expect(Method::POST, "/v1/webhooks", Some(hook)).await?;
    let webhook = webhook["id"].as_str().context("a webhook's id")?.to_owned();
    let job = json!({"kind": "book", "input": {"title": MARK}});
    let job = victim.expect(Method::POST, "/v1/jobs", Some(job)).await?;
    let job = job["id"].as_str().context("a job's id")?.to_owned();
    let bundle = with_manifest("\"clapper\"", "\"the-victims-own\"", &[])?;
    let (status, avatar) = victim.send("/v1/avatars", "application/zip", bundle).await?;
    ensure!(status == StatusCode::CREATED, "{avatar}");
    let (status, picture) = victim.send("/v1/pictures", "image/png", b"\x89PNG\r\n\x1a\n".to_vec()).await?;
    ensure!(status == StatusCode::CREATED, "{picture}");
    let text = |thing: &Value, name: &str| thing[name].as_str().context("text").map(str::to_owned);
    let things = Things { webhook, job, avatar: text(&avatar, "name")?, picture: text(&picture, "id")? };
    let own_session = stranger.create(json!({"product": "essence_self_hosted"})).await?;
    let operations = operations(&node.url).await?;
    let http = footlight_client::http_client(Duration::from_secs(60))?;
    let request =
        |operation: &Operation, path: &str| http.request(operation.method.clone(), format!("{}{path}", node.url));

    // With the stranger's own secret.
    let mut about_things = 0;
    for operation in &operations {
        if !operation.is_about_a_thing() {
            let asked = operation.with_body(request(operation, &operation.path)).header("api-secret", &stranger.secret);
            let (_, _, body) = told(asked, "").await?;
            for secret in [
                MARK,
                &session,
                &engine,
                &things.webhook,
                &things.job,
                &things.picture,
                &things.avatar,
                &victim.account,
            ] {
                ensure!(!body.contains(secret), "{} tells the stranger of {secret}: {body}", operation.id);
            }
            continue;
        }
        for victims in [&session, &engine] {
            let (thing, nobodys) = thing_at(&operation.path, &things, victims)?;
            let ask = |thing: &str| {
                let asked = operation.with_body(request(operation, &operation.at(thing)));
                asked.header("api-secret", &stranger.secret)
            };
            let (theirs, nobodys) = (told(ask(&thing), &thing).await?, told(ask(&nobodys), &nobodys).await?);
            ensure!(theirs == nobodys, "{} tells {thing} from nothing: {theirs:?} and {nobodys:?}", operation.id);
            ensure!(theirs.0 == StatusCode::NOT_FOUND, "{} answered {theirs:?}", operation.id);
            about_things += 1;
        }
    }
    ensure!(about_things >= 16, "only {about_things} calls were about things");

    // With what is no credential, everywhere; with the stranger's tokens, on the victim's things.
    let token = |customer: Client, body: Value| async move {
        let made = customer.expect(Method::POST, "/v1/runtime-tokens", Some(body)).await?;
        anyhow::Ok(made["token"].as_str().context("a token")?.to_owned())
    };
    let free = token(stranger.clone(), json!({"surface": "self_hosted"})).await?;
    let bound = token(stranger.clone(), json!({"surface": "self_hosted", "session": own_session})).await?;
    let of_viewer = format!("/v1/sessions/{own_session}/client-tokens");
    let viewer = stranger.expect(Method::POST, &of_viewer, Some(json!({}))).await?;
    let viewer = viewer["token"].as_str().context("a token")?.to_owned();
    for operation in operations.iter().filter(|operation| operation.path.starts_with("/v1/sessions/{id}")) {
        for (swapped, name) in [(&free, "free"), (&bound, "bound"), (&viewer, "viewer")] {
            let asked = operation.with_body(request(operation, &operation.at(&engine))).bearer_auth(swapped);
            let (status, _, body) = told(asked, &engine).await?;
            let is_refused = status == StatusCode::NOT_FOUND || status == StatusCode::FORBIDDEN;
            ensure!(is_refused, "a {name} token at {}: {status} {body}", operation.id);
            ensure!(!body.contains(MARK), "a {name} token at {}: {body}", operation.id);
        }
    }
    let said = free.split('.').nth(1).context("a payload")?.to_owned();
    let signature = free.rsplit('.').next().context("a signature")?.to_owned();
    let header = |alg: &str| URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#));
    let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(&said)?)?;
    let uuid_of = |account: &str| account.trim_start_matches("acc_").to_owned();
    let dashed = |hex: &str| format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    let of_victim = plain
        .replace(&uuid_of(&stranger.account), &uuid_of(&victim.account))
        .replace(&dashed(&uuid_of(&stranger.account)), &dashed(&uuid_of(&victim.account)));
    ensure!(of_victim != plain, "the token does not name its account as expected: {plain}");
    let forged = [
        format!("{}.{said}.", header("none")),
        format!("{}.{said}.{signature}", header("HS256")),
        format!("{}.{said}.{signature}", header("RS256")),
        format!("flt1.{}.{signature}", URL_SAFE_NO_PAD.encode(of_victim)),
        format!("flt1.{said}."),
        format!("{free}A"),
    ];
    for operation in &operations {
        let path = if operation.is_about_a_thing() { operation.at(&engine) } else { operation.path.clone() };
        for forged in &forged {
            let asked = operation.with_body(request(operation, &path)).bearer_auth(forged);
            let (status, _, body) = told(asked, "").await?;
            ensure!(status == StatusCode::UNAUTHORIZED, "forged {forged} at {}: {status} {body}", operation.id);
        }
    }

    // Secrets that were revoked, and tokens whose time or whose secret is over.
    let revoked = node.customer("50").await?;
    let its_session = revoked.create(json!({"product": "essence_self_hosted"})).await?;
    let its_token = token(revoked.clone(), json!({"surface": "self_hosted"})).await?;
    node.operator().revoke_secrets(&revoked.account).await?;
    for operation in &operations {
        let path = if operation.is_about_a_thing() { operation.at(&its_session) } else { operation.path.clone() };
        let asked = operation.with_body(request(operation, &path)).bearer_auth(&its_token);
        let (status, _, body) = told(asked, "").await?;
        ensure!(status.is_client_error(), "{} by a revoked secret's token: {status} {body}", operation.id);
    }
    tokio::time::sleep(Duration::from_secs(21)).await;
    for operation in &operations {
        let path = if operation.is_about_a_thing() { operation.at(&its_session) } else { operation.path.clone() };
        for asked in [
            operation.with_body(request(operation, &path)).header("api-secret", &revoked.secret),
            operation.with_body(request(operation, &path)).bearer_auth(&its_token),
            operation.with_body(request(operation, &path)).bearer_auth(&free),
        ] {
            let (status, _, body) = told(asked, "").await?;
            ensure!(status == StatusCode::UNAUTHORIZED, "{} after its time: {status} {body}", operation.id);
        }
    }

    // And nothing happened to the victim.
    for id in [&session, &engine] {
        let now = victim.session(id).await?;
        ensure!(now["end_reason"] == json!(null) && now["pause_reasons"] == json!([]), "{now}");
    }
    ensure!(victim.balance().await? == 50_000_000);
    Ok(())
}

#[tokio::test]
async fn one_account_learns_nothing_of_another_on_sqlite() -> anyhow::Result<()> {
    nothing_is_told(NodeSetup::embedded()).await
}

#[tokio::test]
async fn one_account_learns_nothing_of_another_on_redis() -> anyhow::Result<()> {
    let redis = RedisServer::start().await?;
    nothing_is_told(NodeSetup::on_redis(&redis.url())).await
}
