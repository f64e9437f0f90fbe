//! What every store keeps to, as one suite: `footlight_store::store_contract!(open)` makes a test of each promise, where
//! `open` is an `async fn() -> Opened`; `store_contract_in_turn!` tries them all in one test.

pub mod accounts;
pub mod desk;
pub mod directory;
pub mod faults;
mod given;
pub mod nodes;
pub mod prices;
pub mod records;
pub mod transfer;
pub mod year;

use std::any::Any;
use std::sync::Arc;

use crate::Store;

/// An empty store for one test, and what must live as long as it (a directory, a server).
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Dropped after it.
    pub keep: Box<dyn Any + Send>,
}

/// Makes a test of every promise of the contract.
#[macro_export]
macro_rules! store_contract {
    ($open:path) => {
        $crate::store_promises! { store_promises_apart $open }
    };
}

/// Tries every promise of the contract in one future, one after the other, for stores that are dear to start. `open` gives
/// an empty store each time.
#[macro_export]
macro_rules! store_contract_in_turn {
    ($open:expr) => {
        $crate::store_promises! { store_promises_in_turn $open }
    };
}

/// Every promise, for one of the two above.
#[doc(hidden)]
#[macro_export]
macro_rules! store_promises {
    ($how:ident $open:expr) => {
        $crate::$how! { $open;
            accounts::an_account_is_read_back_as_it_was_committed
            accounts::what_is_not_there_is_left_out
            accounts::a_stale_commit_conflicts_and_gets_the_fresh_state
            accounts::a_commit_sent_twice_is_written_once
            accounts::the_last_sixteen_commits_are_remembered
            accounts::commits_of_one_call_stand_each_on_their_own
            accounts::accounts_and_tabs_and_entries_come_in_pages
            accounts::a_tab_is_overdue_from_its_deadline_on
            accounts::a_job_is_overdue_until_it_is_settled
            accounts::a_trimmed_journal_still_audits
            directory::secrets_are_found_by_hash_until_revoked
            directory::sessions_are_listed_newest_first
            directory::orphans_are_the_unended_sessions_of_a_former_boot
            directory::a_former_owner_writes_no_record
            directory::an_idempotency_key_is_answered_once
            directory::a_request_that_failed_may_be_made_again
            directory::progress_blocks_are_replaced_and_deleted
            nodes::a_lease_is_held_while_it_is_renewed
            nodes::a_lost_node_is_claimed_once_and_never_renewed
            nodes::one_run_has_a_name
            nodes::a_place_is_reserved_until_it_is_taken
            nodes::nodes_without_room_are_not_chosen
            nodes::a_wish_finds_what_it_asks_for
            nodes::many_who_choose_at_once_never_overfill
            records::a_record_is_read_back_as_it_was_written
            records::a_batch_is_written_whole_if_all_is_as_expected
            records::ensuring_makes_a_record_or_touches_it
            records::records_are_listed_in_the_order_of_their_ids
            records::what_is_due_is_found_in_its_line
            records::a_due_record_is_claimed_by_one
            records::names_and_sizes_are_bounded
            records::blobs_are_read_back_replaced_and_deleted
            records::a_lost_reply_is_found_out
            desk::commands_are_answered_in_their_order
            desk::an_unknown_account_is_named
            desk::opening_twice_opens_once
            desk::a_top_up_sent_twice_is_credited_once
            desk::twenty_jobs_of_75_on_500_get_exactly_six
            desk::fifty_sessions_never_overspend
            desk::two_desks_on_one_account_charge_exactly
            desk::ten_desks_on_one_account_all_get_through
            desk::a_rise_is_told
            desk::a_full_cache_only_costs_reads
            prices::every_row_of_the_price_list_is_charged_to_the_microcredit
            prices::a_change_of_price_is_for_new_sessions
            faults::a_reply_lost_charges_once
            faults::random_faults_charge_exactly
            faults::accounts_out_of_reach_hold_nobody_up
            transfer::everything_is_moved_there_and_back
            transfer::a_stopped_migration_goes_on
            transfer::a_target_with_something_else_is_refused
            transfer::a_store_with_a_living_node_is_refused
            transfer::open_sessions_are_not_moved
            transfer::what_would_be_gone_is_left_out
            transfer::documents_come_in_pages_and_are_loaded_once
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! store_promises_apart {
    ($open:expr; $($group:ident::$promise:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let $crate::contract::Opened { store, keep } = $open().await;
                $crate::contract::$group::$promise(store).await;
                drop(keep);
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! store_promises_in_turn {
    ($open:expr; $($group:ident::$promise:ident)*) => {
        $(
            {
                let $crate::contract::Opened { store, keep } = $open().await;
                $crate::contract::$group::$promise(store).await;
                drop(keep);
            }
        )*
    };
}
