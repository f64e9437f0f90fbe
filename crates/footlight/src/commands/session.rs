//! `footlight session`: sessions of a running node, as a customer of it.

use reqwest::Method;
use serde_json::{Value, json};

use super::http::Http;
use super::{block_on, print, watch};
use crate::cli::{Global, Session};

pub(crate) fn run(global: &Global, session: Session) -> anyhow::Result<()> {
    block_on(async {
        match session {
            Session::Create { customer, avatar, picture } => {
                let http = Http::customer(&customer)?;
                let body = json!({
                    "avatar": avatar, "fps": picture.fps, "width": picture.width, "height": picture.height
                });
                show(global, &http.send(http.request(Method::POST, "/v1/sessions").json(&body)).await?)
            }
            Session::List { customer } => list(global, &Http::customer(&customer)?).await,
            Session::Show { customer, id } => {
                let http = Http::customer(&customer)?;
                show(global, &http.send(http.request(Method::GET, &path(&id, ""))).await?)
            }
            Session::Speak { customer, id, audio, output } => {
                let spoken = watch::speak(&customer, &id, &audio, output.as_deref(), !global.json).await?;
                show(global, &spoken)
            }
            Session::Pause { customer, id } => act(global, &Http::customer(&customer)?, &id, "/pause").await,
            Session::Resume { customer, id } => act(global, &Http::customer(&customer)?, &id, "/resume").await,
            Session::Interrupt { customer, id } => act(global, &Http::customer(&customer)?, &id, "/interrupt").await,
            Session::Gesture { customer, id, gesture } => {
                let http = Http::customer(&customer)?;
                let asked = http.request(Method::POST, &path(&id, "/gestures")).json(&json!({ "gesture": gesture }));
                show(global, &http.send(asked).await?)
            }
            Session::Stop { customer, id } => {
                let http = Http::customer(&customer)?;
                show(global, &http.send(http.request(Method::DELETE, &path(&id, ""))).await?)
            }
        }
    })
}

fn path(id: &str, rest: &str) -> String {
    format!("/v1/sessions/{id}{rest}")
}

async fn act(global: &Global, http: &Http, id: &str, action: &str) -> anyhow::Result<()> {
    show(global, &http.send(http.request(Method::POST, &path(id, action))).await?)
}

async fn list(global: &Global, http: &Http) -> anyhow::Result<()> {
    let sessions = http.list("/v1/sessions", 1_000).await?;
    if global.json {
        return print::json(&sessions);
    }
    let mut table = print::table(&["session", "state", "why", "avatar", "frames", "credits", "created"]);
    for session in sessions {
        let cell = |name: &str| print::text(&session[name]);
        let why = match session["end_reason"].as_str() {
            Some(reason) => reason.to_owned(),
            None => cell("pause_reasons"),
        };
        let row =
            [cell("id"), cell("state"), why, cell("avatar"), cell("frames"), cell("credits_used"), cell("created_at")];
        table.add_row(row);
    }
    println!("{table}");
    Ok(())
}

fn show(global: &Global, value: &Value) -> anyhow::Result<()> {
    if global.json {
        return print::json(value);
    }
    print::fields(value);
    Ok(())
}
