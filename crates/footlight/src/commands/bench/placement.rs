//! `footlight bench placement`: sessions find their places among many nodes.
//!
//! The nodes are processes of this binary on one Redis; sessions are created through their public listeners, in turn. All
//! the while the store is asked how full each node is, reservations included. Before that the bare store fills the same
//! nodes with places that nobody takes, as many at once: that is what placing can cost at least.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use data_encoding::HEXLOWER;
use footlight_avatar::bundle::DEFAULT_AVATAR;
use footlight_ledger::SessionId;
use footlight_store::Store;
use footlight_store::nodes::{Placed, Strategy, Wish};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use indicatif::ProgressBar;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use uuid::Uuid;

use super::quantiles::{Durations, Quantiles};
use crate::assembly::{OpenStore, open_store};
use crate::cli::{Customer, Global, Operator};
use crate::commands::http::Http;
use crate::commands::serve::block_on_system;
use crate::commands::{print, settings_for};

/// The operators' token of the nodes.
const TOKEN: &str = "for-this-bench-alone";
/// How long a node may take to start, and to see the others.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked how full the nodes are.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A node of the bench.
struct Started {
    /// Killed when dropped.
    _child: Child,
    customer: String,
    admin: String,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Report {
    nodes: usize,
    creates: usize,
    at_once: usize,
    /// Sessions that the nodes have room for.
    room: usize,
    created: usize,
    refused: usize,
    creates_per_second: f64,
    create: Quantiles,
    /// Looks at all nodes, the most of its room that any had in use at one of them, and that with what was promised.
    looks: usize,
    fullest_in_use: f64,
    fullest: f64,
    bare_places_per_second: f64,
    bare_place: Quantiles,
}

pub(super) fn run(global: &Global, nodes: usize, creates: usize, at_once: usize) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let data_dir = scratch.path().join("bench").to_string_lossy().into_owned();
    let settings = settings_for(global, &[("data_dir", Some(data_dir))])?.settings;
    let as_json = global.json;
    block_on_system(async move {
        let OpenStore { store, .. } = open_store(&settings).await?;
        ensure!(store.kind() == "redis", "nodes need a store that they can share: --store redis://…");
        ensure!(store.list_nodes().await?.is_empty(), "there are nodes on this store; use one of your own");
        // A twentieth less than is asked for: what is refused is part of the measurement.
        let room_each = (creates * 19 / 20).div_ceil(nodes);
        let secret = HEXLOWER.encode(&rand::random::<[u8; 32]>());
        let mut started = Vec::new();
        for number in 1..=nodes {
            let directory = scratch.path().join(format!("node-{number}"));
            started.push(start(&settings.store, &directory, number, room_each, &secret).await?);
        }
        wait_ready(&store, nodes).await?;
        let customers = customers(&started).await?;

        let (bare_rate, bare) = place_bare(&store, room_each * nodes, at_once).await?;
        let is_over = Arc::new(AtomicBool::new(false));
        let looking = tokio::spawn(look(Arc::clone(&store), Arc::clone(&is_over)));
        let (created, taken, durations) = create(&customers, creates, at_once, as_json).await?;
        is_over.store(true, Ordering::Release);
        let Fullest { looks, in_use, promised } = looking.await??;

        let report = Report {
            nodes,
            creates,
            at_once,
            room: room_each * nodes,
            created,
            refused: creates - created,
            creates_per_second: created as f64 / taken.as_secs_f64(),
            create: durations.quantiles(),
            looks,
            fullest_in_use: in_use,
            fullest: promised,
            bare_places_per_second: bare_rate,
            bare_place: bare.quantiles(),
        };
        report.show(as_json)?;
        ensure!(report.fullest_in_use <= 1.0, "a node was filled over its capacity");
        Ok(())
    })
}

async fn start(store: &str, directory: &Path, number: usize, room: usize, secret: &str) -> anyhow::Result<Started> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["serve", "--json"]).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let room = room.to_string();
    for (key, value) in [
        ("STORE", store),
        ("DATA_DIR", &directory.to_string_lossy()),
        ("LISTEN", "127.0.0.1:0"),
        ("ADMIN_LISTEN", "127.0.0.1:0"),
        ("ADMIN_TOKEN", TOKEN),
        ("LOG__FILTER", "error"),
        ("NODE__NAME", &format!("bench-{number}")),
        ("NODE__MAX_SESSIONS", &room),
        ("NODE__SPEAKING_SLOTS", &room),
        ("STAGE__RENDERER", "null"),
        ("CLUSTER__LISTEN", "127.0.0.1:0"),
        ("CLUSTER__SECRET", secret),
        ("TOKENS__KEY", secret),
        ("LIMITS__ACCOUNT_UNITS_PER_MINUTE", "0"),
        ("SESSIONS__MAX_WITHOUT_PLAN", "0"),
    ] {
        command.env(format!("FOOTLIGHT_{key}"), value);
    }
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().context("the node's output is piped")?;
    let mut lines = BufReader::new(stdout).lines();
    let first = tokio::time::timeout(PATIENCE, lines.next_line()).await.context("a node says nothing")??;
    let told: Value = serde_json::from_str(&first.context("a node ended at once")?)?;
    let address = |key: &str| format!("http://{}", told[key].as_str().unwrap_or_default());
    Ok(Started { _child: child, customer: address("listen"), admin: address("admin_listen") })
}

async fn wait_ready(store: &Arc<dyn Store>, count: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while store.list_nodes().await?.iter().filter(|node| !node.is_lost()).count() < count {
        ensure!(Instant::now() < deadline, "the nodes do not all take part");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// One account, as a customer of each node.
async fn customers(nodes: &[Started]) -> anyhow::Result<Vec<Http>> {
    let operator = Operator { admin_url: nodes[0].admin.clone(), admin_token: TOKEN.to_owned() };
    let http = Http::operator(&operator)?;
    let opened = http.send(http.request(Method::POST, "/admin/v1/accounts").json(&json!({}))).await?;
    let id = print::text(&opened["id"]);
    let grant = json!({ "kind": "top_up", "credits": 1_000_000 });
    http.send(http.request(Method::POST, &format!("/admin/v1/accounts/{id}/grants")).json(&grant)).await?;
    let secret = print::text(&opened["api_secret"]);
    let customer =
        |node: &Started| Http::customer(&Customer { url: node.customer.clone(), api_secret: secret.clone() });
    nodes.iter().map(customer).collect()
}

/// Creates sessions through each node in turn: how many were, how long that took, and how long each took.
async fn create(
    customers: &[Http],
    creates: usize,
    at_once: usize,
    silent: bool,
) -> anyhow::Result<(usize, Duration, Durations)> {
    let bar = if silent { ProgressBar::hidden() } else { ProgressBar::new(creates as u64) };
    let template = "  {bar:32.yellow/dim} {pos}/{len} sessions";
    bar.set_style(print::bar_style(template));
    let created = AtomicUsize::new(0);
    let begun = Instant::now();
    let durations = stream::iter(0..creates)
        .map(|number| {
            let http = &customers[number % customers.len()];
            let (created, bar) = (&created, &bar);
            async move {
                let asked = Instant::now();
                let answer = http.request(Method::POST, "/v1/sessions").json(&json!({})).send().await?;
                let (status, took) = (answer.status(), asked.elapsed());
                bar.inc(1);
                match status {
                    StatusCode::CREATED => {
                        created.fetch_add(1, Ordering::Relaxed);
                        anyhow::Ok(Some(took))
                    }
                    StatusCode::SERVICE_UNAVAILABLE => Ok(None),
                    status => anyhow::bail!("a create was answered {status}: {}", answer.text().await?),
                }
            }
        })
        .buffer_unordered(at_once)
        .try_fold(Durations::default(), |mut all, took| async move {
            took.into_iter().for_each(|took| all.push(took));
            Ok(all)
        })
        .await?;
    bar.finish_and_clear();
    Ok((created.into_inner(), begun.elapsed(), durations))
}

/// How full nodes were seen, as shares of their room.
#[derive(Debug, Default)]
struct Fullest {
    looks: usize,
    in_use: f64,
    /// What was promised and not in use included. A session that has just begun may count as both for a moment.
    promised: f64,
}

/// Looks at all nodes until it is over.
async fn look(store: Arc<dyn Store>, is_over: Arc<AtomicBool>) -> anyhow::Result<Fullest> {
    let mut fullest = Fullest::default();
    while !is_over.load(Ordering::Acquire) {
        for node in store.list_nodes().await? {
            // Each session weighs one slot here, and there are as many of both.
            let of_total = |sessions: u64| sessions as f64 / node.room.sessions_total.max(1) as f64;
            fullest.in_use = fullest.in_use.max(of_total(node.room.sessions_used));
            fullest.promised = fullest.promised.max(of_total(node.room.sessions_used + node.reserved.0));
        }
        fullest.looks += 1;
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(fullest)
}

/// Chooses places as fast as the store does, until all are taken, and gives them back: how many a second, and how long a
/// choice takes.
async fn place_bare(store: &Arc<dyn Store>, room: usize, at_once: usize) -> anyhow::Result<(f64, Durations)> {
    let sessions: Vec<SessionId> = (0..room).map(|_| SessionId(Uuid::now_v7())).collect();
    let begun = Instant::now();
    let durations = stream::iter(&sessions)
        .map(|session| async {
            let wish = Wish {
                session: *session,
                weight_milli: 1_000,
                labels: BTreeMap::new(),
                avatar: DEFAULT_AVATAR.to_owned(),
                strategy: Strategy::TwoChoice,
                only: None,
                not: Vec::new(),
                dice: rand::random(),
            };
            let asked = Instant::now();
            let placed = store.place(wish).await?;
            ensure!(matches!(placed, Placed::At(_)), "the nodes are full before all their places are taken");
            Ok(asked.elapsed())
        })
        .buffer_unordered(at_once)
        .try_fold(Durations::default(), |mut all, took| async move {
            all.push(took);
            Ok(all)
        })
        .await?;
    let rate = room as f64 / begun.elapsed().as_secs_f64();
    stream::iter(&sessions)
        .map(|session| store.give_back(*session))
        .buffer_unordered(at_once)
        .try_collect::<()>()
        .await?;
    Ok((rate, durations))
}

impl Report {
    fn show(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            return print::json(self);
        }
        let ms = |of: &Quantiles| format!("{:.1} / {:.1} / {:.1} ms", of.p50_ms, of.p99_ms, of.max_ms);
        let mut table = print::table(&["", &format!("{} nodes, {} at once", self.nodes, self.at_once)]);
        for (name, value) in [
            ("sessions created / refused / room", format!("{} / {} / {}", self.created, self.refused, self.room)),
            ("sessions created a second", format!("{:.0}", self.creates_per_second)),
            ("a create, p50 / p99 / longest", ms(&self.create)),
            ("the fullest node in so many looks", self.looks.to_string()),
            ("  in use", format!("{:.1} % of its room", self.fullest_in_use * 100.0)),
            ("  with what was promised", format!("{:.1} %", self.fullest * 100.0)),
            ("the bare store: places a second", format!("{:.0}", self.bare_places_per_second)),
            ("the bare store: a place, p50 / p99 / longest", ms(&self.bare_place)),
        ] {
            table.add_row([name.to_owned(), value]);
        }
        println!("{table}");
        Ok(())
    }
}
