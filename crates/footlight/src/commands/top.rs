//! `footlight top`: nodes and sessions, live, through the admin API of any node.

use std::time::Duration;

use comfy_table::Table;
use console::{Term, style};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::http::Http;
use super::node::{SLOT_MILLI, lease, room, state};
use super::{block_on, print, session};
use crate::cli::{Global, Top};

/// Nodes shown at most.
const NODES_MAX: usize = 200;
/// Speaking sessions looked at: one page.
const SESSIONS_MAX: usize = 200;
/// Lines around the tables: the head, and what is between.
const FRAME_LINES: usize = 5;
/// Lines of a table beside its rows.
const TABLE_LINES: usize = 4;

/// What there is to see at one moment.
struct Seen {
    nodes: Vec<Value>,
    /// Those that speak, newest first.
    speaking: Vec<Value>,
}

pub(crate) fn run(global: &Global, options: &Top) -> anyhow::Result<()> {
    block_on(async {
        let http = Http::operator(&options.operator)?;
        let term = Term::stdout();
        let first = look(&http).await?;
        if options.once || global.json || !term.is_term() {
            return if global.json { print::json(&first.as_json()) } else { first.print(usize::MAX) };
        }
        term.hide_cursor()?;
        let ended = tokio::select! {
            ended = watch(&http, &term, first, Duration::from_secs(options.every)) => ended,
            interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into),
        };
        term.show_cursor()?;
        ended
    })
}

/// Shows what there is until the node does not answer any more.
async fn watch(http: &Http, term: &Term, first: Seen, every: Duration) -> anyhow::Result<()> {
    let mut seen = first;
    loop {
        term.clear_screen()?;
        seen.print(usize::from(term.size().0))?;
        tokio::time::sleep(every).await;
        seen = look(http).await?;
    }
}

async fn look(http: &Http) -> anyhow::Result<Seen> {
    let get = |path: String| async move { http.send(http.request(Method::GET, &path)).await };
    let listed = http.list("/admin/v1/nodes", NODES_MAX).await?;
    // Each says itself how its meter stands. One that does not answer is shown as the store has it.
    let asked = listed.into_iter().map(|node| async {
        let is_lost = node["lease_left_ms"].as_i64().is_some_and(|left| left <= 0);
        let name = print::text(&node["name"]);
        if is_lost { node } else { get(format!("/admin/v1/nodes/{name}")).await.unwrap_or(node) }
    });
    let nodes = join_all(asked).await;
    let page = get(format!("/admin/v1/sessions?state=running&limit={SESSIONS_MAX}")).await?;
    let speaking = page["data"].as_array().cloned().unwrap_or_default();
    Ok(Seen { nodes, speaking })
}

impl Seen {
    fn as_json(&self) -> Value {
        json!({ "nodes": self.nodes, "speaking": self.speaking })
    }

    /// Prints it on at most so many lines.
    fn print(&self, lines: usize) -> anyhow::Result<()> {
        println!("{}\n", self.head());
        println!("{}", self.nodes_table());
        let left = lines.saturating_sub(FRAME_LINES + TABLE_LINES + self.nodes.len() + TABLE_LINES);
        let shown = self.speaking.len().min(left);
        if shown > 0 {
            println!("\n{}", session::table(&self.speaking[..shown], true));
        }
        Ok(())
    }

    fn head(&self) -> String {
        let sum = |kind: &str, name: &str| -> u64 {
            self.nodes.iter().map(|node| node[kind][name].as_u64().unwrap_or_default()).sum()
        };
        let ready = self.nodes.iter().filter(|node| node["ready"] == json!(true)).count();
        let burn: f64 = self.nodes.iter().filter_map(|node| node["meter"]["credits_per_minute"].as_f64()).sum();
        format!(
            "{}   {} of {} nodes ready   {} of {} sessions   {} of {} slots speak   {} credits a minute",
            style("Footlight").bold(),
            ready,
            self.nodes.len(),
            sum("sessions", "used"),
            sum("sessions", "total"),
            sum("speaking_slots_milli", "used").div_ceil(SLOT_MILLI),
            sum("speaking_slots_milli", "total") / SLOT_MILLI,
            // A sum for people to look at; what is charged is counted in integers.
            style(format!("{burn:.2}")).bold(),
        )
    }

    fn nodes_table(&self) -> Table {
        let mut table = print::table(&[
            "node",
            "state",
            "lease",
            "sessions",
            "speaking slots",
            "credits/min",
            "waiting",
            "in grace",
            "lag p99",
            "lag max",
        ]);
        for node in &self.nodes {
            let meter = |name: &str| print::text(&node["meter"][name]);
            let lag = |name: &str| match &node["meter"][name] {
                Value::Null => "-".to_owned(),
                ms => format!("{ms} ms"),
            };
            table.add_row([
                print::text(&node["name"]),
                state(node),
                lease(node),
                room(&node["sessions"], 1),
                room(&node["speaking_slots_milli"], SLOT_MILLI),
                meter("credits_per_minute"),
                meter("waiting"),
                meter("in_grace"),
                lag("lag_p99_ms"),
                lag("lag_max_ms"),
            ]);
        }
        table
    }
}
