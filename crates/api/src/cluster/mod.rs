//! The listener of nodes among themselves: what they ask of each other, and calls about sessions that they pass on.
//!
//! Every call carries a good pass ([`door`]). Calls that are passed on then meet the ordinary extractors: the client's own
//! secret is checked here as on the public listener, and only its address comes from the pass. An operator's token stays at
//! the node it was sent to, which has checked it; the pass says whose it was.

mod calls;
mod door;

use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use footlight_cluster::{Adopter, ClusterKey, Directory, Doorkeeper, PeerClient, Placement, wire};
use footlight_ledger::BootId;

use crate::fallback::{not_found, resource};
use crate::proxy::ProxyFigures;
use crate::seldom::Seldom;
use crate::{admin, auth, routes, trace};

pub(crate) use calls::freshen;

/// How a node is one of many.
pub struct ClusterParts {
    /// Where sessions live.
    pub directory: Arc<dyn Directory>,
    /// Where new ones shall live.
    pub placement: Arc<dyn Placement>,
    /// Who takes sessions over from other nodes; without one none is taken.
    pub adopter: Option<Arc<dyn Adopter>>,
    /// The node among others, for operators; nothing in tests that have no leases.
    pub cluster: Option<footlight_cluster::Cluster>,
    /// What nodes prove themselves to each other with.
    pub key: ClusterKey,
    /// Calls to other nodes.
    pub client: PeerClient,
    /// What is counted.
    pub figures: ProxyFigures,
}

/// The same, as the routes use it.
pub(crate) struct Cluster {
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) placement: Arc<dyn Placement>,
    pub(crate) adopter: Option<Arc<dyn Adopter>>,
    pub(crate) members: Option<footlight_cluster::Cluster>,
    pub(crate) client: PeerClient,
    pub(crate) figures: ProxyFigures,
    /// A node that is lost fails every call for its sessions.
    pub(crate) warnings: Seldom,
    doorkeeper: Doorkeeper,
}

impl Cluster {
    pub(crate) fn new(parts: ClusterParts, own: BootId) -> Self {
        let ClusterParts { directory, placement, adopter, cluster: members, key, client, figures } = parts;
        Self {
            directory,
            placement,
            adopter,
            members,
            client,
            figures,
            warnings: Seldom::default(),
            doorkeeper: Doorkeeper::new(key, own),
        }
    }
}

/// All routes of the cluster listener.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config.service(
        web::scope("")
            .wrap(from_fn(door::require_pass))
            .wrap(from_fn(trace::trace))
            .service(resource(wire::PULSE, "GET").route(web::get().to(calls::pulse)))
            .service(resource(wire::SESSIONS, "POST").route(web::post().to(calls::create)))
            .service(resource(wire::RECORDS, "POST").route(web::post().to(calls::records)))
            .service(resource(wire::ADOPT, "POST").route(web::post().to(calls::adopt)))
            .service(
                web::scope("/v1")
                    .wrap(from_fn(door::only_what_is_here))
                    .wrap(from_fn(auth::require_credential))
                    .configure(routes::of_session)
                    .default_service(web::to(not_found)),
            )
            .service(
                web::scope("/admin/v1")
                    .wrap(from_fn(door::only_what_is_here))
                    .wrap(from_fn(door::require_named_operator))
                    .configure(admin::of_node)
                    .default_service(web::to(not_found)),
            )
            .default_service(web::to(not_found)),
    );
}
