//! The audit as people and machines read it.

use footlight_ledger::{AccountId, Microcredits};
use footlight_store::{AccountAudit, Store, audit_account, audit_all};
use serde::Serialize;

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
