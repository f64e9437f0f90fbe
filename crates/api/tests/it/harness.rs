//! A node that serves its listeners within this process.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::web::Data;
use actix_web::{App, HttpServer};
use footlight_actors::{Node, NodeOptions, NodeParts, SpeakingSlots};
use footlight_api::{
    AdminToken, ApiOptions, ApiParts, ApiState, ClusterParts, configure_admin, configure_cluster, configure_public,
    tune_connection,
};
use footlight_avatar::bundle::Catalogue;
use footlight_hooks::{HookOptions, HookParts, Hooks};
use footlight_jobs::{JobOptions, JobParts, Jobs};
use footlight_ledger::{RateCard, Terms, Timestamp};
use footlight_stage::{RendererKind, Stage, StageOptions};
use footlight_store::{LedgerDesk, SqliteStore, Store};
use footlight_wardrobe::{Wardrobe, WardrobeOptions, WardrobeParts};
use footlight_workshop::{Bench, Workshop, WorkshopOptions, WorkshopParts};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

pub(crate) const TOKEN: &str = "correct-horse-battery-staple";

/// A node behind its listeners.
pub(crate) struct Served {
    pub node: Node,
    pub public: String,
    pub admin: String,
    /// Where other nodes call it; host and port.
    pub cluster: String,
    pub http: reqwest::Client,
    _data_dir: tempfile::TempDir,
}

/// An account of it, with its secret.
#[derive(Debug, Clone)]
pub(crate) struct Customer {
    pub id: String,
    pub secret: String,
}

pub(crate) async fn serve() -> Served {
    serve_with(|_| {}).await
}

pub(crate) async fn serve_with(change: impl FnOnce(&mut ApiOptions)) -> Served {
    serve_showing(Catalogue::default(), change).await
}

/// A node with avatars of its operator's.
pub(crate) async fn serve_showing(avatars: Catalogue, change: impl FnOnce(&mut ApiOptions)) -> Served {
    serve_on(memory(), "test-node", avatars, change, |_, _, _| None).await
}

/// A store of this process alone.
pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(SqliteStore::in_memory().expect("memory"))
}

/// This machine's wall clock.
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp(i64::try_from(since_epoch.as_millis()).expect("before the year 292 million"))
}

/// A node on a store that others may stand on as well. `cluster` is told its node, its registry and where it is called.
pub(crate) async fn serve_on(
    store: Arc<dyn Store>,
    name: &str,
    avatars: Catalogue,
    change: impl FnOnce(&mut ApiOptions),
    cluster: impl FnOnce(&Node, &prometheus::Registry, &str) -> Option<ClusterParts>,
) -> Served {
    let registry = prometheus::Registry::new();
    let data_dir = tempfile::tempdir().expect("a directory");
    let stage =
        StageOptions { workers: 1, renderer: RendererKind::Null, max_queued_audio_s: 600, ..StageOptions::default() };
    let desk = LedgerDesk::new(Arc::clone(&store), Terms::default(), Arc::new(now), Arc::new(rand::random));
    let hooks = Hooks::start(HookParts {
        store: Arc::clone(&store),
        desk: desk.clone(),
        clock: Arc::new(now),
        encode: Arc::new(footlight_api::encode_event),
        options: HookOptions::default(),
        registry: prometheus::Registry::new(),
    })
    .expect("webhooks");
    let jobs = Jobs::start(JobParts {
        store: Arc::clone(&store),
        desk: desk.clone(),
        clock: Arc::new(now),
        hooks: hooks.clone(),
        options: JobOptions::default(),
    });
    let wardrobe = Wardrobe::start(WardrobeParts {
        store: Arc::clone(&store),
        shared: avatars.clone(),
        clock: Arc::new(now),
        options: WardrobeOptions::default(),
    });
    let workshop = Workshop::start(WorkshopParts {
        jobs: jobs.clone(),
        wardrobe: wardrobe.clone(),
        craft: Arc::new(Bench),
        options: WorkshopOptions { workers: 1, name: "test-node".to_owned() },
    });
    let node = Node::start(NodeParts {
        desk,
        store,
        wardrobe: wardrobe.clone(),
        stage: Arc::new(Stage::start_with(stage, avatars).expect("a stage")),
        rate_card: RateCard::default(),
        terms: Terms::default(),
        options: NodeOptions {
            name: name.to_owned(),
            speaking_slots: SpeakingSlots::Fixed(100),
            ..NodeOptions::default()
        },
        data_dir: data_dir.path().to_owned(),
        announcer: Arc::new(footlight_actors::Nobody),
        registry: registry.clone(),
        clock: Arc::new(now),
    })
    .await
    .expect("a node");
    // All tests guess from one address.
    let admin_token = Some(AdminToken::new(TOKEN));
    let mut options = ApiOptions { admin_token, failures_per_minute: 0, ..ApiOptions::default() };
    change(&mut options);
    let socket = free_port();
    let called_at = socket.local_addr().expect("it is bound").to_string();
    let cluster = cluster(&node, &registry, &called_at);
    let parts = ApiParts { node: node.clone(), hooks, jobs, wardrobe, workshop, cluster, options };
    let state = Data::new(ApiState::new(parts));
    let public = listen(&state, configure_public, free_port());
    let admin = listen(&state, configure_admin, free_port());
    listen(&state, configure_cluster, socket);
    let http = footlight_client::http_client(Duration::from_secs(30)).expect("a client");
    Served { node, public, admin, cluster: called_at, http, _data_dir: data_dir }
}

fn free_port() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).expect("a free port")
}

fn listen(
    state: &Data<ApiState>,
    routes: fn(&mut actix_web::web::ServiceConfig, &Data<ApiState>),
    socket: TcpListener,
) -> String {
    let state = state.clone();
    let server = HttpServer::new(move || {
        let state = state.clone();
        App::new().configure(move |config| routes(config, &state))
    })
    .workers(1)
    .disable_signals()
    .on_connect(tune_connection)
    .listen(socket)
    .expect("it is bound");
    let address = format!("http://{}", server.addrs()[0]);
    actix_web::rt::spawn(server.run());
    address
}

impl Served {
    /// An account with this many credits.
    pub(crate) async fn customer(&self, credits: &str) -> Customer {
        let opened = self.operate(Method::POST, "/admin/v1/accounts", json!({})).await;
        assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.text);
        let text = |name: &str| opened.json()[name].as_str().expect(name).to_owned();
        let customer = Customer { id: text("id"), secret: text("api_secret") };
        if credits != "0" {
            let body = format!(r#"{{"kind":"top_up","credits":{credits}}}"#);
            let given =
                answer(self.operator(Method::POST, &format!("/admin/v1/accounts/{}/grants", customer.id)).body(body))
                    .await;
            assert_eq!(given.status, StatusCode::CREATED, "{}", given.text);
        }
        customer
    }

    /// A request of the operator.
    pub(crate) fn operator(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.admin)).bearer_auth(TOKEN)
    }

    /// One call of the operator.
    pub(crate) async fn operate(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = self.operator(method.clone(), path);
        answer(if method == Method::GET { request } else { request.json(&body) }).await
    }

    /// A request of an account.
    pub(crate) fn request(&self, customer: &Customer, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.public)).header("api-secret", &customer.secret)
    }

    /// One call of an account.
    pub(crate) async fn call(&self, customer: &Customer, method: Method, path: &str) -> Answer {
        answer(self.request(customer, method, path)).await
    }

    /// A session; its id.
    pub(crate) async fn create(&self, customer: &Customer, body: Value) -> String {
        let created = answer(self.request(customer, Method::POST, "/v1/sessions").json(&body)).await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
        created.json()["id"].as_str().expect("an id").to_owned()
    }

    /// Waits until a session is as `wanted` says.
    pub(crate) async fn wait_for(&self, customer: &Customer, session: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            let found = self.call(customer, Method::GET, &format!("/v1/sessions/{session}")).await.json();
            if wanted(&found) {
                return found;
            }
            assert!(tokio::time::Instant::now() < deadline, "the session stays {found}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// Asserts that this is a whole problem, and answers it.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.any_problem();
        assert_eq!((self.status.as_u16(), problem["code"].as_str()), (status, Some(code)), "{}", self.text);
        problem
    }

    /// Asserts that this is some whole problem, and answers it.
    pub(crate) fn any_problem(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{} {}", self.status, self.text);
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16(), "{}", self.text);
        for member in ["type", "title", "code", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "no {member}: {}", self.text);
        }
        assert!(!self.header("x-request-id").is_empty());
        problem
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, text: response.text().await.expect("a body") }
}

/// Every operation of an OpenAPI document: method, path with `{…}`, id.
pub(crate) fn operations(document: &utoipa::openapi::OpenApi) -> Vec<(Method, String, String)> {
    let document = serde_json::to_value(document).expect("JSON");
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            found.push((method, path.clone(), operation["operationId"].as_str().expect("an id").to_owned()));
        }
    }
    assert!(found.len() > 10);
    found
}

/// A WAV of a quiet buzz.
pub(crate) fn wav(seconds: f64, rate: u32) -> Vec<u8> {
    let count = (seconds * f64::from(rate)) as u32;
    let data_len = count * 2;
    let mut file = Vec::with_capacity(44 + data_len as usize);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + data_len).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&(rate * 2).to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&data_len.to_le_bytes());
    file.extend((0..count).flat_map(|n| ((n % 100 * 40) as i16).to_le_bytes()));
    file
}
