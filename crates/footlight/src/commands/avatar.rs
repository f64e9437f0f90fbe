//! `footlight avatar`: an account's avatars at a running node.

use std::path::Path;

use anyhow::Context;
use reqwest::Method;
use serde_json::{Value, json};

use super::http::Http;
use super::{block_on, job, print};
use crate::cli::{Avatar, Global};
use crate::exit::{Failure, coded};

pub(crate) fn run(global: &Global, avatar: Avatar) -> anyhow::Result<()> {
    block_on(async {
        match avatar {
            Avatar::List { customer } => list(global, &Http::customer(&customer)?).await,
            Avatar::Upload { customer, bundle, replace } => {
                let http = Http::customer(&customer)?;
                let bytes = read(&bundle)?;
                let path = format!("/v1/avatars?replace={replace}");
                let request = http.request(Method::POST, &path).header("content-type", "application/zip").body(bytes);
                print::shown(global, &http.send(request).await?)
            }
            Avatar::Make { customer, picture, landmarks, name, title, licence, replace, preview } => {
                let http = Http::customer(&customer)?;
                let landmarks: Value = serde_json::from_slice(&read(&landmarks)?)
                    .map_err(|error| coded(Failure::Usage, format!("{} is not JSON: {error}", landmarks.display())))?;
                let request = http.request(Method::POST, "/v1/pictures").body(read(&picture)?);
                let picture = http.send(request).await?;
                let mut input = json!({
                    "name": name, "picture": picture["id"], "landmarks": landmarks, "replace": replace,
                });
                for (field, value) in [("title", title), ("licence", licence)] {
                    if let Some(value) = value {
                        input[field] = value.into();
                    }
                }
                let made = have_made(global, &http, "agent", input, preview.as_deref()).await;
                // It has served its purpose, whatever came of it; it would be removed after a day.
                let id = picture["id"].as_str().unwrap_or_default();
                let _ = http.send(http.request(Method::DELETE, &format!("/v1/pictures/{id}"))).await;
                made
            }
            Avatar::Enliven { customer, avatar, name, preview } => {
                let http = Http::customer(&customer)?;
                let mut input = json!({ "avatar": avatar });
                if let Some(name) = name {
                    input["name"] = name.into();
                }
                have_made(global, &http, "dynamics", input, preview.as_deref()).await
            }
            Avatar::Remove { customer, name } => {
                let http = Http::customer(&customer)?;
                http.send(http.request(Method::DELETE, &path(&name, ""))).await?;
                if !global.json {
                    println!("{name} is gone");
                }
                Ok(())
            }
        }
    })
}

/// Asks for a job, waits for it, and shows the avatar that came of it.
async fn have_made(
    global: &Global,
    http: &Http,
    kind: &str,
    input: Value,
    preview: Option<&Path>,
) -> anyhow::Result<()> {
    let asked = job::ask(http, kind, input).await?;
    let done = job::follow(global, http, &asked).await?;
    let name = done["result"]["avatar"].as_str().context("the job does not say which avatar it made")?;
    if let Some(preview) = preview {
        let picture = http.send_for_bytes(http.request(Method::GET, &path(name, "/preview"))).await?;
        std::fs::write(preview, picture).with_context(|| format!("{} cannot be written", preview.display()))?;
    }
    print::shown(global, &http.send(http.request(Method::GET, &path(name, ""))).await?)
}

async fn list(global: &Global, http: &Http) -> anyhow::Result<()> {
    let avatars = http.list("/v1/avatars", 2_000).await?;
    if global.json {
        return print::json(&avatars);
    }
    let mut table = print::table(&["avatar", "title", "size", "whose", "gestures", "licence", "created"]);
    for avatar in avatars {
        let cell = |name: &str| print::text(&avatar[name]);
        let size = format!("{}x{}", cell("width"), cell("height"));
        let whose = if avatar["own"] == true { "your own" } else { "for all" };
        table.add_row([
            cell("name"),
            cell("title"),
            size,
            whose.to_owned(),
            cell("gestures"),
            cell("licence"),
            cell("created_at"),
        ]);
    }
    println!("{table}");
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn path(name: &str, rest: &str) -> String {
    format!("/v1/avatars/{name}{rest}")
}
