//! `footlight serve`: a node with its two listeners, until a signal ends it.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpServer, web};
use anyhow::Context;
use footlight_actors::{DrainMode, Node};
use footlight_api::ApiState;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::settings_for;
use crate::assembly::{Assembly, api_state, assemble};
use crate::cli::{Global, RendererChoice, Serve};
use crate::settings::Settings;

/// Connections that are still open when the node has drained get this long, in seconds.
const LAST_WORDS_S: u64 = 2;
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
        let assembly = assemble(&settings).await?;
        let listeners = Listeners::bind(&settings, &assembly)?;
        listeners.announce(as_json, &settings);
        let handles = listeners.serve();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("draining; a second signal ends the node at once");
        tokio::select! {
            () = drain(&assembly.node, settings.node.drain_deadline) => {}
            _ = terminate.recv() => tracing::warn!("ended by a second signal, before the drain was done"),
            _ = interrupt.recv() => tracing::warn!("ended by a second signal, before the drain was done"),
        }
        for handle in handles {
            handle.stop(true).await;
        }
        Ok(())
    })
}

/// Lets speech end, then ends and settles what is left.
async fn drain(node: &Node, deadline: Duration) {
    let report = node.drain(DrainMode::Wait, Some(deadline)).await;
    if report.still_speaking > 0 {
        tracing::warn!(sessions = report.still_speaking, "the drain's deadline has passed; ending speech");
    }
    node.shutdown(SETTLE_WITHIN).await;
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

/// Both listeners, bound and not yet serving.
struct Listeners {
    public: Server,
    admin: Server,
    public_address: SocketAddr,
    admin_address: SocketAddr,
}

impl Listeners {
    fn bind(settings: &Settings, assembly: &Assembly) -> anyhow::Result<Self> {
        let state = api_state(settings, assembly);
        let (public, public_address) = listen("listen", &settings.listen, state.clone(), footlight_api::configure_public)?;
        let (admin, admin_address) = listen("admin_listen", &settings.admin_listen, state, footlight_api::configure_admin)?;
        Ok(Self { public, admin, public_address, admin_address })
    }

    /// Tells where the node listens; as JSON it is the first line, for whoever started it.
    fn announce(&self, as_json: bool, settings: &Settings) {
        let (public, admin) = (self.public_address, self.admin_address);
        if as_json {
            println!("{}", json!({ "listen": public, "admin_listen": admin, "node": settings.node.name }));
            return;
        }
        println!("Footlight node {} is ready", settings.node.name);
        println!("  sessions   http://{public}   (docs: http://{public}/docs)");
        println!("  operators  http://{admin}   (metrics: http://{admin}/metrics)");
        println!("  store      {}", settings.store);
        println!("  encoder    assembly: {}", footlight_media::encoder_assembly());
        if settings.admin_token.0.is_empty() {
            println!("  The admin API is closed: set FOOTLIGHT_ADMIN_TOKEN to open accounts.");
        }
    }

    fn serve(self) -> [ServerHandle; 2] {
        let handles = [self.public.handle(), self.admin.handle()];
        actix_rt::spawn(self.public);
        actix_rt::spawn(self.admin);
        handles
    }
}

fn listen(
    key: &str,
    address: &str,
    state: ApiState,
    routes: fn(&mut web::ServiceConfig, &ApiState),
) -> anyhow::Result<(Server, SocketAddr)> {
    let server = HttpServer::new(move || {
        let state = state.clone();
        App::new().configure(move |config| routes(config, &state))
    })
    .disable_signals()
    .shutdown_timeout(LAST_WORDS_S)
    .bind(address)
    .with_context(|| format!("`{key}` is {address}, and the node cannot listen there"))?;
    let bound = server.addrs().first().copied().context("a bound server has an address")?;
    Ok((server.run(), bound))
}
