//! `footlight node`: the nodes of a cluster, through the admin API of any of them.

use std::time::Duration;

use indicatif::ProgressBar;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::http::Http;
use super::{block_on, print};
use crate::cli::{DrainMode, Global, Node};
use crate::exit::{Failure, coded};

/// Nodes listed at most.
const LISTED_MAX: usize = 10_000;
/// How often a drain is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long after its deadline a drain is still looked at: the node's own clock ends it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Looks at a drain that may fail one after the other: a node that goes down meanwhile is lost to all of them.
const FAILED_LOOKS_MAX: u32 = 20;

pub(crate) fn run(global: &Global, node: Node) -> anyhow::Result<()> {
    block_on(async {
        match node {
            Node::List { operator } => {
                let nodes = Http::operator(&operator)?.list("/admin/v1/nodes", LISTED_MAX).await?;
                if global.json {
                    return print::json(&nodes);
                }
                println!("{}", table(&nodes));
                Ok(())
            }
            Node::Show { operator, name } => {
                let http = Http::operator(&operator)?;
                print::shown(global, &http.send(http.request(Method::GET, &path(&name, ""))).await?)
            }
            Node::Drain { operator, name, mode, deadline } => {
                drain(global, &Http::operator(&operator)?, &name, mode, deadline).await
            }
            Node::Undrain { operator, name } => {
                let http = Http::operator(&operator)?;
                print::shown(global, &http.send(http.request(Method::POST, &path(&name, "/undrain"))).await?)
            }
            Node::GiveUp { operator, name } => {
                let http = Http::operator(&operator)?;
                print::shown(global, &http.send(http.request(Method::DELETE, &path(&name, ""))).await?)
            }
        }
    })
}

fn path(name: &str, rest: &str) -> String {
    format!("/admin/v1/nodes/{name}{rest}")
}

/// What a node is, in a word or a few.
pub(super) fn state(node: &Value) -> String {
    if node["ready"] == json!(true) { "ready".to_owned() } else { print::text(&node["reasons"]) }
}

/// How full a node is: in use and promised, of all there is.
pub(super) fn room(room: &Value, unit: u64) -> String {
    let of = |name: &str| room[name].as_u64().unwrap_or_default();
    let taken = of("used") + of("reserved");
    format!("{} of {}", taken.div_ceil(unit), of("total") / unit)
}

/// How long a node's lease lasts.
pub(super) fn lease(node: &Value) -> String {
    match node["lease_left_ms"].as_i64() {
        Some(left) if left > 0 => format!("{:.1} s", left as f64 / 1_000.0),
        Some(over) => format!("over for {:.0} s", -over as f64 / 1_000.0),
        None => "-".to_owned(),
    }
}

/// Speaking slots are counted in thousandths.
pub(super) const SLOT_MILLI: u64 = 1_000;

fn table(nodes: &[Value]) -> comfy_table::Table {
    let mut table = print::table(&[
        "node",
        "state",
        "lease",
        "sessions",
        "speaking slots",
        "avatars",
        "labels",
        "version",
        "address",
    ]);
    for node in nodes {
        let cell = |name: &str| print::text(&node[name]);
        let labels = node["labels"].as_object().into_iter().flatten();
        let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={}", print::text(value))).collect();
        table.add_row([
            cell("name"),
            state(node),
            lease(node),
            room(&node["sessions"], 1),
            room(&node["speaking_slots_milli"], SLOT_MILLI),
            cell("avatars"),
            labels.join(", "),
            cell("version"),
            cell("address"),
        ]);
    }
    table
}

/// Empties a node, and shows how far it is.
async fn drain(global: &Global, http: &Http, name: &str, mode: DrainMode, deadline: Duration) -> anyhow::Result<()> {
    let mode_name = match mode {
        DrainMode::Wait => "wait",
        DrainMode::Migrate => "migrate",
    };
    let order = json!({ "mode": mode_name, "deadline_s": deadline.as_secs() });
    let mut node = http.send(http.request(Method::POST, &path(name, "/drain")).json(&order)).await?;
    let left = |node: &Value| match mode {
        DrainMode::Wait => node["speaking_slots_milli"]["used"].as_u64().unwrap_or_default().div_ceil(SLOT_MILLI),
        DrainMode::Migrate => node["sessions"]["used"].as_u64().unwrap_or_default(),
    };
    let until = Instant::now() + deadline + PATIENCE;
    let all = left(&node);
    let bar = if global.json { ProgressBar::hidden() } else { ProgressBar::new(all) };
    let template = "  {bar:32.yellow/dim} {pos} of {len} {msg} ({elapsed})";
    bar.set_style(print::bar_style(template));
    bar.set_message(match mode {
        DrainMode::Wait => "have fallen silent",
        DrainMode::Migrate => "are elsewhere",
    });
    let mut failed = 0;
    loop {
        let here = left(&node);
        bar.set_length(all.max(here));
        bar.set_position(all.max(here) - here);
        if here == 0 {
            bar.finish();
            return print::shown(global, &node);
        }
        let is_draining = node["reasons"].as_array().is_some_and(|reasons| reasons.contains(&json!("draining")));
        if !is_draining || Instant::now() >= until {
            bar.abandon();
            let why = if is_draining { "the deadline has passed" } else { "it was undrained" };
            let what = if mode == DrainMode::Wait { "sessions still speak" } else { "sessions are still there" };
            let detail = format!("{here} {what} on {name}, and go on: {why}; `footlight node list` shows who has room");
            return Err(coded(Failure::Failed, detail));
        }
        sleep(LOOK_EVERY).await;
        match http.send(http.request(Method::GET, &path(name, ""))).await {
            Ok(seen) => (node, failed) = (seen, 0),
            Err(_) if failed < FAILED_LOOKS_MAX => failed += 1,
            Err(error) => return Err(error),
        }
    }
}
