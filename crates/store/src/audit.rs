//! The audit over a whole store: every account told again from its journal, its tabs and its jobs.

use footlight_ledger::{AccountId, Audit, Totals};
use serde::Serialize;

use crate::{Store, StoreError, WholeAccount};

/// Accounts listed in one call.
const PAGE: usize = 1_000;

/// One account's audit.
#[derive(Debug, Clone, Serialize)]
pub struct AccountAudit {
    /// Whose.
    pub account: AccountId,
    /// Its sums.
    pub totals: Totals,
    /// Journal entries that were folded, trimmed ones included.
    pub entries: u64,
    /// Sessions that were looked at.
    pub sessions: u64,
    /// Every figure that comes out differently, in words; empty when the books balance.
    pub differences: Vec<String>,
}

impl AccountAudit {
    /// Whether everything comes out the same.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Audits one account as of one moment; `None` when there is none by this id.
///
/// # Errors
/// What the store said.
pub async fn audit_account(store: &dyn Store, account: AccountId) -> Result<Option<AccountAudit>, StoreError> {
    let Some(WholeAccount { account, checkpoint, entries, tabs, jobs }) = store.load_whole(account).await? else {
        return Ok(None);
    };
    let differences = match Audit::of(&account, &checkpoint, &entries, &tabs, &jobs) {
        Ok(audit) => audit.differences.iter().map(ToString::to_string).collect(),
        Err(gap) => vec![gap.to_string()],
    };
    Ok(Some(AccountAudit {
        account: account.id,
        totals: account.totals,
        entries: checkpoint.next_entry + entries.len() as u64,
        sessions: tabs.len() as u64,
        differences,
    }))
}

/// Audits all accounts, in the order of their ids, telling `each` about every one.
///
/// # Errors
/// What the store said.
pub async fn audit_all(store: &dyn Store, mut each: impl FnMut(AccountAudit)) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let accounts = store.list_accounts(after, PAGE).await?;
        let Some(last) = accounts.last() else { return Ok(()) };
        after = Some(*last);
        for account in accounts {
            if let Some(audit) = audit_account(store, account).await? {
                each(audit);
            }
        }
    }
}
