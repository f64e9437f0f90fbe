//! `footlight account`: a running node's accounts, through its admin API.

use reqwest::Method;
use serde_json::json;

use super::http::Http;
use super::{block_on, print};
use crate::cli::{Account, Global};
use crate::exit::{Failure, coded};
use crate::settings::Amount;

pub(crate) fn run(global: &Global, account: Account) -> anyhow::Result<()> {
    block_on(async {
        match account {
            Account::Open { operator, plan } => {
                let http = Http::operator(&operator)?;
                let body = plan.map_or_else(|| json!({}), |plan| json!({ "plan": plan }));
                let opened = http.send(http.request(Method::POST, "/admin/v1/accounts").json(&body)).await?;
                print::shown(global, &opened)?;
                if !global.json {
                    println!("\nThe API secret is shown this once: keep it.");
                }
                Ok(())
            }
            Account::List { operator } => {
                let accounts = Http::operator(&operator)?.list("/admin/v1/accounts", 10_000).await?;
                if global.json {
                    return print::json(&accounts);
                }
                let mut table = print::table(&["account", "status", "plan", "balance", "open sessions"]);
                for account in accounts {
                    let cell = |name: &str| print::text(&account[name]);
                    table.add_row([cell("id"), cell("status"), cell("plan"), cell("balance"), cell("open_sessions")]);
                }
                println!("{table}");
                Ok(())
            }
            Account::Show { operator, id } => {
                let http = Http::operator(&operator)?;
                print::shown(global, &http.send(http.request(Method::GET, &path(&id, ""))).await?)
            }
            Account::Grant { operator, id, credits, kind, name } => {
                let http = Http::operator(&operator)?;
                let amount: Amount = credits.parse().map_err(|error: String| coded(Failure::Usage, error))?;
                // The amount goes over as the digits that were typed: no float on the way.
                let body = format!(r#"{{"kind":"{kind}","credits":{}}}"#, amount.0);
                let mut request = http.request(Method::POST, &path(&id, "/grants"));
                if let Some(name) = name {
                    request = request.header("idempotency-key", name);
                }
                let request = request.header("content-type", "application/json").body(body);
                print::shown(global, &http.send(request).await?)
            }
            Account::Suspend { operator, id } => set(global, &Http::operator(&operator)?, &id, "/suspend").await,
            Account::Resume { operator, id } => set(global, &Http::operator(&operator)?, &id, "/resume").await,
            Account::Close { operator, id } => set(global, &Http::operator(&operator)?, &id, "/close").await,
        }
    })
}

fn path(id: &str, rest: &str) -> String {
    format!("/admin/v1/accounts/{id}{rest}")
}

async fn set(global: &Global, http: &Http, id: &str, action: &str) -> anyhow::Result<()> {
    print::shown(global, &http.send(http.request(Method::POST, &path(id, action))).await?)
}
