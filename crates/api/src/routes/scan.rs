//! Looking through a journal: from an instant on, block by block, and never without an end.

use footlight_ledger::AccountId;

use crate::json::Instant;
use crate::problem::Problem;
use crate::state::ApiState;

/// Entries read at a time.
pub(super) const BLOCK: usize = 500;
/// Entries looked through at most for one page. It may come out short then, with a cursor to go on.
pub(super) const PAGE_MAX: usize = 10_000;

/// The number of the first entry that was written at `from` or later. Entries are numbered as time goes on, so it is found
/// by halves; what was trimmed is over.
pub(super) async fn first_from(state: &ApiState, account: AccountId, from: Option<Instant>) -> Result<u64, Problem> {
    let Some(from) = from else { return Ok(0) };
    let (mut low, mut high) = (0, state.node.account(account).await?.next_entry);
    while low < high {
        let middle = low + (high - low) / 2;
        let entry = state.node.store().list_entries(account, middle, 1).await?.pop();
        match entry {
            Some(entry) if entry.at < from.0 => low = entry.number + 1,
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}
