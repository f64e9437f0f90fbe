//! `footlight session`: sessions of running nodes, as a customer of theirs or, for all accounts, as the operator.

use comfy_table::Table;
use reqwest::Method;
use serde_json::{Value, json};

use super::http::Http;
use super::{block_on, print, watch};
use crate::cli::{Customer, Global, ListSessions, Session};

pub(crate) fn run(global: &Global, session: Session) -> anyhow::Result<()> {
    block_on(async {
        match session {
            Session::Create { customer, avatar, picture } => {
                let http = Http::customer(&customer)?;
                let body = json!({
                    "avatar": avatar, "fps": picture.fps, "width": picture.width, "height": picture.height
                });
                print::shown(global, &http.send(http.request(Method::POST, "/v1/sessions").json(&body)).await?)
            }
            Session::List(options) => list(global, options).await,
            Session::Show { customer, id } => {
                let http = Http::customer(&customer)?;
                print::shown(global, &http.send(http.request(Method::GET, &path(&id, ""))).await?)
            }
            Session::Speak { customer, id, audio, output } => {
                let spoken = watch::speak(&customer, &id, &audio, output.as_deref(), !global.json).await?;
                print::shown(global, &spoken)
            }
            Session::Pause { customer, id } => act(global, &Http::customer(&customer)?, &id, "/pause").await,
            Session::Resume { customer, id } => act(global, &Http::customer(&customer)?, &id, "/resume").await,
            Session::Interrupt { customer, id } => act(global, &Http::customer(&customer)?, &id, "/interrupt").await,
            Session::Gesture { customer, id, gesture } => {
                let http = Http::customer(&customer)?;
                let asked = http.request(Method::POST, &path(&id, "/gestures")).json(&json!({ "gesture": gesture }));
                print::shown(global, &http.send(asked).await?)
            }
            Session::Migrate { operator, id, to } => {
                let http = Http::operator(&operator)?;
                let body = to.map_or_else(|| json!({}), |to| json!({ "to": to }));
                let path = format!("/admin/v1/sessions/{id}/migrate");
                print::shown(global, &http.send(http.request(Method::POST, &path).json(&body)).await?)
            }
            Session::Stop { customer, id } => {
                let http = Http::customer(&customer)?;
                print::shown(global, &http.send(http.request(Method::DELETE, &path(&id, ""))).await?)
            }
        }
    })
}

fn path(id: &str, rest: &str) -> String {
    format!("/v1/sessions/{id}{rest}")
}

async fn act(global: &Global, http: &Http, id: &str, action: &str) -> anyhow::Result<()> {
    print::shown(global, &http.send(http.request(Method::POST, &path(id, action))).await?)
}

/// Sessions listed at most.
const LISTED_MAX: usize = 10_000;

async fn list(global: &Global, options: ListSessions) -> anyhow::Result<()> {
    let ListSessions { all, state, url, api_secret, operator } = options;
    let (http, path) = match operator.given() {
        Some(operator) if all => (Http::operator(&operator)?, "/admin/v1/sessions"),
        // What is missing here clap has asked for.
        _ => (Http::customer(&Customer { url, api_secret: api_secret.unwrap_or_default() })?, "/v1/sessions"),
    };
    let query = state.map_or_else(|| "limit=200".to_owned(), |state| format!("limit=200&state={state}"));
    let sessions = http.list(&format!("{path}?{query}"), LISTED_MAX).await?;
    if global.json {
        return print::json(&sessions);
    }
    println!("{}", table(&sessions, all));
    Ok(())
}

/// Sessions as a table; of all accounts also with whose they are and where.
pub(super) fn table(sessions: &[Value], all: bool) -> Table {
    let whose: &[&str] = if all { &["account", "node"] } else { &[] };
    let head = [&["session"], whose, &["state", "why", "avatar", "frames", "credits", "created"]].concat();
    let mut table = print::table(&head);
    for session in sessions {
        let cell = |name: &str| print::text(&session[name]);
        let why = match session["end_reason"].as_str() {
            Some(reason) => reason.to_owned(),
            None => cell("pause_reasons"),
        };
        let mut row = vec![cell("id")];
        row.extend(whose.iter().map(|name| cell(name)));
        row.extend([cell("state"), why, cell("avatar"), cell("frames"), cell("credits_used"), cell("created_at")]);
        table.add_row(row);
    }
    table
}
