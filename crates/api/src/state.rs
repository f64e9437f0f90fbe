//! What every route stands on.

use std::sync::Arc;

use actix_web::{HttpRequest, web};
use footlight_actors::{Caller, Node};
use footlight_hooks::Hooks;
use footlight_jobs::Jobs;
use footlight_ledger::AccountId;
use footlight_stage::room::Room;
use footlight_wardrobe::Wardrobe;
use footlight_workshop::Workshop;
use tokio::sync::Semaphore;

use crate::auth::{Authenticated, EngineCaller, SecretBook};
use crate::cluster::{Cluster, ClusterParts};
use crate::decoders;
use crate::limits::Limits;
use crate::options::ApiOptions;
use crate::routes::payments::LARGE_EVENTS_MAX;
use crate::stream::Seats;
use crate::turns::Turns;
use crate::upload_memory::{self, UploadMemory};

/// Summaries of usage that are made at once: the store is for those who speak.
const SUMMARIES_MAX: usize = 4;
/// Lists that are searched at once: each may read ten thousand records.
const SEARCHES_MAX: usize = 32;
/// Those of one account.
const SEARCHES_PER_ACCOUNT: usize = 2;

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
    /// Lists that look through many records for a few.
    pub(crate) searches: Turns,
    /// Room for what strangers say is an event of a payment provider.
    pub(crate) large_events: Semaphore,
    /// What uploads are gathered in, in bytes.
    upload_memory: Arc<Room>,
    pub(crate) decoders: Turns,
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
        Self {
            secrets: SecretBook::new(&options),
            limits: Limits::new(options.account_units_per_minute, options.failures_per_minute),
            seats: Seats::default(),
            uploads: Turns::new("uploads", options.max_uploads_per_account),
            summaries: Turns::new("summaries of usage", 1).in_all(SUMMARIES_MAX),
            searches: Turns::new("searches of lists", SEARCHES_PER_ACCOUNT).in_all(SEARCHES_MAX),
            large_events: Semaphore::new(LARGE_EVENTS_MAX),
            upload_memory: upload_memory::room(options.max_upload_memory_bytes, options.max_upload_bytes),
            decoders: decoders::turns(options.decoders),
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
        UploadMemory::of(&self.upload_memory, account)
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
