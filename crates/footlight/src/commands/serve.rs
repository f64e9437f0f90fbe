//! `footlight serve`: a node with its listeners, until a signal ends it.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::http::KeepAlive;
use actix_web::web::Data;
use actix_web::{App, HttpServer, web};
use anyhow::Context;
use footlight_actors::Node;
use footlight_api::ApiState;
use footlight_cluster::Cluster;
use reqwest::Method;
use serde_json::json;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::http::Http;
use super::settings_for;
use crate::assembly::{Assembly, api_state, assemble, cluster};
use crate::cli::{Customer, Global, Operator, RendererChoice, Serve};
use crate::settings::Settings;

/// Connections that are still open when the node has drained get this long, in seconds.
const LAST_WORDS_S: u64 = 2;
/// What deliveries to webhooks that are under way may take; what is left is delivered by the next run.
const LAST_DELIVERIES_WITHIN: Duration = Duration::from_secs(3);
/// What the last settlements may take when the store is slow; what is not settled then is recovered at the next start.
const SETTLE_WITHIN: Duration = Duration::from_secs(10);

pub(crate) fn run(global: &Global, options: &Serve) -> anyhow::Result<()> {
    let renderer = options.renderer.map(|choice| match choice {
        RendererChoice::Essence => "essence".to_owned(),
        RendererChoice::Null => "null".to_owned(),
    });
    let flags = [
        ("listen", options.listen.clone()),
        ("admin_listen", options.admin_listen.clone()),
        ("node.name", options.name.clone()),
        ("stage.renderer", renderer),
    ];
    let settings = settings_for(global, &flags)?.settings;
    crate::telemetry::start(&settings.log)?;
    let as_json = global.json;
    block_on_system(async move {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let running = Running::start(&settings).await?;
        running.announce(as_json, &settings);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("draining; a second signal ends the node at once");
        tokio::select! {
            () = drain(&running.assembly, settings.node.drain_deadline) => {}
            _ = terminate.recv() => tracing::warn!("ended by a second signal, before the drain was done"),
            _ = interrupt.recv() => tracing::warn!("ended by a second signal, before the drain was done"),
        }
        running.close_listeners().await;
        Ok(())
    })
}

/// Moves sessions to other nodes, or lets speech end where there are none, and settles what is left.
async fn drain(assembly: &Assembly, deadline: Duration) {
    assembly.workshop.stop();
    match &assembly.joined {
        Some(joined) => leave(&assembly.node, &joined.cluster, deadline).await,
        None => {
            let report = assembly.node.drain(deadline).await;
            if report.still_speaking > 0 {
                tracing::warn!(sessions = report.still_speaking, "the drain's deadline has passed; ending speech");
            }
            assembly.node.shutdown(SETTLE_WITHIN).await;
        }
    }
    assembly.hooks.stop(LAST_DELIVERIES_WITHIN).await;
}

/// Moves every session, and leaves those for which there is no room to the heirs: room may come, if only with the next run
/// of this node.
async fn leave(node: &Node, cluster: &Cluster, deadline: Duration) {
    node.close().await;
    node.arrivals().await;
    let left = cluster.migrate_all(Instant::now() + deadline).await;
    if left > 0 {
        tracing::warn!(sessions = left, "these could not be moved in time; heirs take them over");
        node.disown_all().await;
    }
    let is_settled = node.shutdown(SETTLE_WITHIN).await;
    cluster.leave(left == 0 && is_settled).await;
}

/// Runs a future on an actix system over a multi-threaded runtime: stores and desks use all of it, actors their arbiters.
///
/// # Errors
/// When the runtime cannot be started, or with what the future answers.
pub(crate) fn block_on_system<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.expect("the machine lets a process start a thread per core")
    };
    actix_rt::System::with_tokio_rt(runtime).block_on(future)
}

/// A node that serves its listeners.
pub(crate) struct Running {
    pub(crate) assembly: Assembly,
    public: SocketAddr,
    admin: SocketAddr,
    /// Where other nodes talk to this one, if there may be any.
    cluster: Option<SocketAddr>,
    servers: Vec<ServerHandle>,
    admin_token: String,
}

impl Running {
    /// Assembles a node, binds its listeners and serves.
    ///
    /// # Errors
    /// When the node cannot be assembled or an address is taken.
    pub(crate) async fn start(settings: &Settings) -> anyhow::Result<Self> {
        let socket = cluster::bind(settings)?;
        let assembly = assemble(settings, socket.as_ref()).await?;
        let state = api_state(settings, &assembly)?;
        let short = KeepAlive::default();
        let most = settings.api.max_connections;
        let (public_server, public) =
            listen("listen", &settings.listen, &state, footlight_api::configure_public, short, Some(most))?;
        let (admin_server, admin) =
            listen("admin_listen", &settings.admin_listen, &state, footlight_api::configure_admin, short, None)?;
        let mut servers = vec![public_server.handle(), admin_server.handle()];
        let mut between_nodes = None;
        if let Some(socket) = socket {
            // Longer than peers keep theirs: none of them calls into a connection that is closed at this end.
            let long = KeepAlive::Timeout(footlight_cluster::http::KEEP_ALIVE);
            let routes = footlight_api::configure_cluster;
            let (server, bound) = serve_on(socket.listener, &state, routes, long, None)?;
            servers.push(server.handle());
            between_nodes = Some(bound);
            actix_rt::spawn(server);
        }
        actix_rt::spawn(public_server);
        actix_rt::spawn(admin_server);
        Ok(Self {
            assembly,
            public,
            admin,
            cluster: between_nodes,
            servers,
            admin_token: settings.admin_token.0.clone(),
        })
    }

    /// Tells where the node listens; as JSON it is the first line, for whoever started it.
    fn announce(&self, as_json: bool, settings: &Settings) {
        let (public, admin) = (self.public, self.admin);
        if as_json {
            let mut told = json!({ "listen": public, "admin_listen": admin, "node": settings.node.name });
            if let Some(cluster) = self.cluster {
                told["cluster_listen"] = json!(cluster);
            }
            println!("{told}");
            return;
        }
        println!("Footlight node {} is ready", settings.node.name);
        println!("  sessions   http://{public}   (docs: http://{public}/docs)");
        println!("  operators  http://{admin}   (metrics: http://{admin}/metrics)");
        if let Some(cluster) = self.cluster {
            println!("  nodes      http://{cluster}");
        }
        println!("  store      {}", settings.store);
        println!("  encoder    assembly: {}", footlight_media::encoder_assembly());
        if self.admin_token.is_empty() && settings.admin_tokens.is_empty() {
            println!("  The admin API is closed: set FOOTLIGHT_ADMIN_TOKEN to open accounts.");
        }
    }

    /// Opens an account with credits, as an operator would, and answers how its customer reaches the node.
    ///
    /// # Errors
    /// When the node refuses.
    pub(crate) async fn customer_with(&self, credits: &str) -> anyhow::Result<Customer> {
        let operator = Operator { admin_url: format!("http://{}", self.admin), admin_token: self.admin_token.clone() };
        let http = Http::operator(&operator)?;
        let opened = http.send(http.request(Method::POST, "/admin/v1/accounts").json(&json!({}))).await?;
        let id = opened["id"].as_str().context("an account has an id")?;
        let grant = format!(r#"{{"kind":"top_up","credits":{credits}}}"#);
        let request = http.request(Method::POST, &format!("/admin/v1/accounts/{id}/grants"));
        http.send(request.header("content-type", "application/json").body(grant)).await?;
        let api_secret = opened["api_secret"].as_str().context("an account has an API secret")?.to_owned();
        Ok(Customer { url: format!("http://{}", self.public), api_secret })
    }

    /// Ends and settles everything, at once.
    pub(crate) async fn stop(self) {
        self.assembly.node.shutdown(SETTLE_WITHIN).await;
        self.close_listeners().await;
    }

    async fn close_listeners(&self) {
        for server in &self.servers {
            server.stop(true).await;
        }
    }
}

/// Connections that may wait to be taken, as many as actix-web itself lets.
const BACKLOG: i32 = 1024;
/// Threads of one listener, as many as actix-web itself lets; one per core below that.
const WORKERS_MAX: usize = 512;

fn listen(
    key: &str,
    address: &str,
    state: &Data<ApiState>,
    routes: fn(&mut web::ServiceConfig, &Data<ApiState>),
    keep_alive: KeepAlive,
    connections: Option<usize>,
) -> anyhow::Result<(Server, SocketAddr)> {
    let listener = bind(address).with_context(|| format!("`{key}` is {address}, and the node cannot listen there"))?;
    serve_on(listener, state, routes, keep_alive, connections)
}

/// Binds a listener.
///
/// # Errors
/// When the address is taken, or is none.
pub(crate) fn bind(address: &str) -> anyhow::Result<TcpListener> {
    let mut last = anyhow::anyhow!("it names no address");
    for address in address.to_socket_addrs()? {
        let bound = || {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            io::Result::Ok(TcpListener::from(socket))
        };
        match bound() {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

/// Serves a listener, for at most so many `connections` at once; for as many as actix-web itself lets where nothing is said, on
/// networks where no stranger is.
fn serve_on(
    listener: TcpListener,
    state: &Data<ApiState>,
    routes: fn(&mut web::ServiceConfig, &Data<ApiState>),
    keep_alive: KeepAlive,
    connections: Option<usize>,
) -> anyhow::Result<(Server, SocketAddr)> {
    let bound = listener.local_addr()?;
    let state = state.clone();
    let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(WORKERS_MAX);
    let mut server = HttpServer::new(move || {
        let state = state.clone();
        App::new().configure(move |config| routes(config, &state))
    })
    .workers(workers)
    .disable_signals()
    .keep_alive(keep_alive)
    .on_connect(footlight_api::tune_connection)
    .shutdown_timeout(LAST_WORDS_S);
    if let Some(connections) = connections {
        // Each worker counts its own.
        server = server.max_connections(connections.div_ceil(workers));
    }
    Ok((server.listen(listener)?.run(), bound))
}
