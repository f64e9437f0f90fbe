//! The audit as people and machines read it.

use anyhow::Context;
use footlight_api::json::Credits;
use footlight_ledger::{AccountId, Microcredits, Totals};
use footlight_store::{AccountAudit, Store, audit_account, audit_all};
use serde::Serialize;
use serde_json::Value;

/// The audits of all accounts that were asked for.
#[derive(Debug, Serialize)]
pub(crate) struct AuditReport {
    accounts: Vec<AccountAudit>,
}

/// Audits one account, or all.
///
/// # Errors
/// When there is no such account, or the store cannot be read.
pub(crate) async fn audit(store: &dyn Store, account: Option<AccountId>) -> anyhow::Result<AuditReport> {
    let mut accounts = Vec::new();
    match account {
        Some(id) => match audit_account(store, id).await? {
            Some(audit) => accounts.push(audit),
            None => anyhow::bail!("there is no account {id}"),
        },
        None => audit_all(store, |audit| accounts.push(audit)).await?,
    }
    Ok(AuditReport { accounts })
}

impl AuditReport {
    /// The audit as a running node tells it, `GET /admin/v1/audit`.
    ///
    /// # Errors
    /// When something is missing.
    pub(crate) fn told(accounts: &[Value]) -> anyhow::Result<Self> {
        let accounts = accounts.iter().map(told_account).collect::<anyhow::Result<_>>()?;
        Ok(Self { accounts })
    }

    /// Whether every account balances.
    pub(crate) fn balanced(&self) -> bool {
        self.accounts.iter().all(AccountAudit::is_balanced)
    }

    /// The sums, every difference, and the verdict.
    pub(crate) fn print(&self) {
        let sum =
            |of: fn(&AccountAudit) -> Microcredits| Microcredits(self.accounts.iter().map(|audit| of(audit).0).sum());
        let entries: u64 = self.accounts.iter().map(|audit| audit.entries).sum();
        println!("The audit: {} accounts, {entries} journal entries", self.accounts.len());
        println!(
            "  granted {} + debt {} = available {} + held {} + spent {} + expired {} + voided {}",
            sum(|audit| audit.totals.granted),
            sum(|audit| audit.totals.debt),
            sum(|audit| audit.totals.available),
            sum(|audit| audit.totals.held),
            sum(|audit| audit.totals.spent),
            sum(|audit| audit.totals.expired),
            sum(|audit| audit.totals.voided),
        );
        for audit in self.accounts.iter().filter(|audit| !audit.is_balanced()) {
            for difference in &audit.differences {
                println!("  {}: {difference}", audit.account);
            }
        }
        println!("{}", if self.balanced() { "Balanced." } else { "NOT BALANCED." });
    }
}

fn told_account(told: &Value) -> anyhow::Result<AccountAudit> {
    let count = |name: &str| told[name].as_u64().with_context(|| format!("the node's audit has no `{name}`"));
    // The digits of the number, so that no amount is rounded.
    let sum = |name: &str| -> anyhow::Result<Microcredits> {
        let credits: Credits = told["totals"][name].to_string().parse().with_context(|| format!("`{name}`"))?;
        Ok(credits.0)
    };
    let differences = told["differences"].as_array().context("the node's audit has no `differences`")?;
    Ok(AccountAudit {
        account: told["account"].as_str().context("the node's audit has no `account`")?.parse()?,
        totals: Totals {
            granted: sum("granted")?,
            debt: sum("debt")?,
            available: sum("available")?,
            held: sum("held")?,
            spent: sum("spent")?,
            expired: sum("expired")?,
            voided: sum("voided")?,
            overage_held: sum("overage_held")?,
            overage_spent: sum("overage_spent")?,
        },
        entries: count("entries")?,
        sessions: count("sessions")?,
        differences: differences.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect(),
    })
}
