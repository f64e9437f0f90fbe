//! What every route stands on.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::{HttpRequest, web};
use footlight_actors::{Caller, Node};
use footlight_hooks::Hooks;
use footlight_jobs::Jobs;
use footlight_ledger::AccountId;
use footlight_wardrobe::Wardrobe;
use footlight_workshop::Workshop;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::{Authenticated, EngineCaller, SecretBook};
use crate::cluster::{Cluster, ClusterParts};
use crate::decoders::Decoders;
use crate::limits::Limits;
use crate::options::ApiOptions;
use crate::problem::{Code, Problem};
use crate::routes::payments::LARGE_EVENTS_MAX;
use crate::stream::Seats;
use crate::turns::Turns;

/// Memory for uploads is counted in pieces of this many bytes: a semaphore counts permits, and one per byte is more
/// than it has.
const MEMORY_UNIT: u64 = 4_096;
/// When an upload that found no memory should come back, in seconds.
const UPLOAD_RETRY_S: u64 = 2;
/// One account's uploads may fill this part of the upload memory.
const ACCOUNT_SHARE: u64 = 4;

/// Summaries of usage that are made at once: the store is for those who speak.
const SUMMARIES_MAX: usize = 4;

/// What the routes ask.
pub struct ApiParts {
    /// Sessions and accounts.
    pub node: Node,
    /// Webhooks.
    pub hooks: Hooks,
    /// One-time jobs.
    pub jobs: Jobs,
    /// Accounts' own avatars.
    pub wardrobe: Wardrobe,
    /// Who works off jobs here.
    pub workshop: Workshop,
    /// The other nodes, if there may be any.
    pub cluster: Option<ClusterParts>,
    /// What an operator has set.
    pub options: ApiOptions,
}

/// The node, the options and the few things that routes share. Made once per process, shared by all listeners.
pub struct ApiState {
    pub(crate) node: Node,
    pub(crate) hooks: Hooks,
    pub(crate) jobs: Jobs,
    pub(crate) wardrobe: Wardrobe,
    pub(crate) workshop: Workshop,
    pub(crate) cluster: Option<Cluster>,
    pub(crate) options: ApiOptions,
    pub(crate) secrets: SecretBook,
    pub(crate) limits: Limits,
    pub(crate) seats: Seats,
    /// Uploads that arrive here, or go through to other nodes.
    pub(crate) uploads: Turns,
    /// Journals that are read from end to end.
    pub(crate) summaries: Turns,
    /// Room for what strangers say is an event of a payment provider.
    pub(crate) large_events: Semaphore,
    upload_memory: Arc<Semaphore>,
    /// What each account's uploads fill of it, and how much they may, in bytes.
    upload_shares: Arc<Mutex<HashMap<AccountId, u64>>>,
    upload_share_max: u64,
    pub(crate) decoders: Decoders,
}

impl ApiState {
    /// The nodes, this one among them; nothing where it stands alone.
    pub(crate) fn members(&self) -> Option<&footlight_cluster::Cluster> {
        self.cluster.as_ref()?.members.as_ref()
    }

    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: ApiParts) -> Self {
        let ApiParts { node, hooks, jobs, wardrobe, workshop, cluster, options } = parts;
        // Room for one upload at least, or none would ever be taken.
        let memory = options.max_upload_memory_bytes.max(options.max_upload_bytes);
        let share_max = (memory / ACCOUNT_SHARE).max(options.max_upload_bytes);
        Self {
            secrets: SecretBook::new(&options),
            limits: Limits::new(options.account_units_per_minute, options.failures_per_minute),
            seats: Seats::default(),
            uploads: Turns::new("uploads", options.max_uploads_per_account),
            summaries: Turns::new("summaries of usage", 1).in_all(SUMMARIES_MAX),
            large_events: Semaphore::new(LARGE_EVENTS_MAX),
            upload_memory: Arc::new(Semaphore::new(permits(memory).min(Semaphore::MAX_PERMITS))),
            upload_shares: Arc::default(),
            upload_share_max: share_max,
            decoders: Decoders::new(options.decoders),
            cluster: cluster.map(|parts| Cluster::new(parts, node.boot())),
            node,
            hooks,
            jobs,
            wardrobe,
            workshop,
            options,
        }
    }

    /// The state that a request's application was configured with.
    ///
    /// # Panics
    /// If the application was not configured by this crate.
    pub(crate) fn of(request: &HttpRequest) -> &web::Data<Self> {
        request.app_data::<web::Data<Self>>().expect("configure_public or configure_admin has put the state there")
    }

    /// A place to gather one upload of an account in.
    pub(crate) fn upload_memory(&self, account: AccountId) -> UploadMemory {
        UploadMemory {
            all: Arc::clone(&self.upload_memory),
            shares: Arc::clone(&self.upload_shares),
            share_max: self.upload_share_max,
            account,
            taken: None,
            bytes: 0,
        }
    }
}

impl From<Authenticated> for EngineCaller {
    fn from(caller: Authenticated) -> Self {
        Self { account: caller.account, secret: caller.secret, surface: None, session: None, is_revoked: false }
    }
}

impl From<Authenticated> for Caller {
    fn from(caller: Authenticated) -> Self {
        Self::Account { account: caller.account, secret: Some(caller.secret) }
    }
}

/// The share of the upload memory that one upload fills; given back when it is dropped.
pub(crate) struct UploadMemory {
    all: Arc<Semaphore>,
    shares: Arc<Mutex<HashMap<AccountId, u64>>>,
    share_max: u64,
    account: AccountId,
    taken: Option<OwnedSemaphorePermit>,
    bytes: u64,
}

impl UploadMemory {
    /// Takes `bytes` more. Never waits: uploads that wait for each other with memory in their hands would wait for ever.
    ///
    /// # Errors
    /// A problem with a time to come back when all of it is taken.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let before = permits(self.bytes);
        {
            let mut shares = self.shares.lock();
            let share = shares.entry(self.account).or_default();
            if *share + bytes as u64 > self.share_max {
                return Err(Problem::new(
                    Code::Capacity,
                    "too many uploads of this account arrive at the same time; send one after the other",
                )
                .retry_after(UPLOAD_RETRY_S)
                .with("what", "upload memory of the account"));
            }
            *share += bytes as u64;
            self.bytes += bytes as u64;
        }
        let more = u32::try_from(permits(self.bytes) - before).unwrap_or(u32::MAX);
        if more == 0 {
            return Ok(());
        }
        let permit = Arc::clone(&self.all).try_acquire_many_owned(more).map_err(|_| {
            Problem::new(Code::Capacity, "too many uploads arrive at the same time; try again in a moment")
                .retry_after(UPLOAD_RETRY_S)
                .with("what", "upload memory")
        })?;
        match &mut self.taken {
            Some(taken) => taken.merge(permit),
            None => self.taken = Some(permit),
        }
        Ok(())
    }
}

impl Drop for UploadMemory {
    fn drop(&mut self) {
        let mut shares = self.shares.lock();
        if let Some(share) = shares.get_mut(&self.account) {
            *share -= self.bytes;
            if *share == 0 {
                shares.remove(&self.account);
            }
        }
    }
}

fn permits(bytes: u64) -> usize {
    usize::try_from(bytes.div_ceil(MEMORY_UNIT)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn one_account_fills_its_share_of_the_upload_memory_and_leaves_the_rest() {
        let (all, shares) = (Arc::new(Semaphore::new(permits(1 << 20))), Arc::default());
        let upload = |account| UploadMemory {
            all: Arc::clone(&all),
            shares: Arc::clone(&shares),
            share_max: 1 << 18,
            account: AccountId(Uuid::from_u128(account)),
            taken: None,
            bytes: 0,
        };
        let (mut first, mut second, mut other) = (upload(1), upload(1), upload(2));
        assert!(first.grow(1 << 17).is_ok() && second.grow(1 << 17).is_ok());
        let refused = first.grow(1).expect_err("the share is full");
        assert_eq!((refused.code, refused.retry_after_s), (Code::Capacity, Some(UPLOAD_RETRY_S)));
        assert!(other.grow(1 << 18).is_ok(), "the others have theirs");
        drop(second);
        assert!(first.grow(1 << 17).is_ok(), "it was given back");
        drop((first, other));
        assert!(shares.lock().is_empty() && all.available_permits() == permits(1 << 20));
    }
}
