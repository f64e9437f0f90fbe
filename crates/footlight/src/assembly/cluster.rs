//! One node of many.

use std::sync::Arc;

use anyhow::Context;
use footlight_api::{ClusterParts, ProxyFigures};
use footlight_cluster::{ClusterKey, HereAlone, PeerClient, RecordDirectory, StandingPeers};
use footlight_store::SessionDirectory;

use super::{Assembly, now};
use crate::settings::Settings;

/// What the API needs of the other nodes; nothing where there are none.
///
/// # Errors
/// When metrics are named twice.
pub(super) fn parts(settings: &Settings, assembly: &Assembly) -> anyhow::Result<Option<ClusterParts>> {
    if !settings.cluster.is_on() {
        return Ok(None);
    }
    let own = assembly.node.boot();
    let key = ClusterKey::of_secret(&settings.cluster.secret.0);
    let records: Arc<dyn SessionDirectory> = assembly.store.clone();
    Ok(Some(ClusterParts {
        directory: Arc::new(RecordDirectory::new(records, own, Arc::new(StandingPeers::default()))),
        placement: Arc::new(HereAlone(own)),
        adopter: None,
        client: PeerClient::new(key.clone(), own, Arc::new(now)),
        key,
        figures: ProxyFigures::register(&assembly.registry).context("registering the metrics of passed on calls")?,
    }))
}
