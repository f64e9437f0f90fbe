//! The end of the demo: where the videos are, what they cost, and that the books balance.

use std::path::PathBuf;

use footlight_actors::Caller;
use footlight_ledger::Microcredits;
use serde_json::json;

use super::cast::Cast;
use crate::assembly::Assembly;
use crate::audit::{AuditReport, audit};
use crate::commands::print;

/// Prints the bill and the audit; answers whether the books balance.
pub(super) async fn print(assembly: &Assembly, cast: &Cast, videos: &[PathBuf], as_json: bool) -> anyhow::Result<bool> {
    let report = audit(assembly.store.as_ref(), None).await?;
    if as_json {
        return print_json(assembly, cast, videos, &report).await;
    }
    println!("\nThe bill");
    let mut table = print::table(&["session", "avatar", "active", "frames", "credits", "video"]);
    for (role, video) in cast.roles.iter().zip(videos) {
        let session = assembly.node.session(Caller::account(role.payer), role.session).await?;
        let active = format!("{:.2} s", session.units as f64 / f64::from(session.fps));
        let cells = [
            role.title.to_owned(),
            role.avatar.to_owned(),
            active,
            session.units.to_string(),
            session.credits_used.to_string(),
            video.display().to_string(),
        ];
        table.add_row(cells);
    }
    println!("{table}\n");

    let mut table = print::table(&["account", "granted", "spent", "balance"]);
    for payer in &cast.payers {
        let totals = assembly.node.account(payer.id).await?.totals;
        let balance = Microcredits(totals.available.0 + totals.held.0);
        table.add_row([
            payer.title.to_owned(),
            totals.granted.to_string(),
            totals.spent.to_string(),
            balance.to_string(),
        ]);
    }
    println!("{table}\n");
    report.print();
    Ok(report.balanced())
}

async fn print_json(
    assembly: &Assembly,
    cast: &Cast,
    videos: &[PathBuf],
    report: &AuditReport,
) -> anyhow::Result<bool> {
    let mut sessions = Vec::new();
    for (role, video) in cast.roles.iter().zip(videos) {
        let session = assembly.node.session(Caller::account(role.payer), role.session).await?;
        sessions.push(json!({ "title": role.title, "video": video, "session": session }));
    }
    print::json(&json!({ "sessions": sessions, "audit": report }))?;
    Ok(report.balanced())
}
