//! What a former run left: its last report is made for it.

use std::path::Path;

use footlight_ledger::Ask;

use super::EngineError;
use super::usage_file::Former;
use crate::api::Client;
use crate::error::ApiError;
use crate::shapes::Heartbeat;

/// Reports what former runs in `directory` used and ends their sessions. Those of another node are left for who speaks to it,
/// and while the node cannot be reached everything is left for the next start.
pub(super) async fn settle(client: &Client, directory: &Path) -> Result<(), EngineError> {
    for former in Former::all(directory)? {
        if former.noted.url != client.url() {
            continue;
        }
        let session = former.noted.session;
        match report(client, &former).await {
            Ok(credits) => {
                tracing::info!(%session, units = former.usage.units, %credits, "a session of a former run was settled");
                former.remove();
            }
            Err(ApiError::Problem { status: 404 | 409, code, .. }) => {
                // It was settled before, by itself or by the node, and is remembered no longer.
                tracing::info!(%session, code, "a session of a former run is over already");
                former.remove();
            }
            Err(error) => tracing::warn!(%session, %error, "a session of a former run is settled at the next start"),
        }
    }
    Ok(())
}

async fn report(client: &Client, former: &Former) -> Result<footlight_ledger::Microcredits, ApiError> {
    let token = client.runtime_token(former.noted.surface, Some(former.noted.session)).await?;
    let heartbeat = Heartbeat {
        epoch: former.noted.epoch,
        // Higher than any that was used, and the same at each try.
        request_number: former.usage.number + 1,
        units: former.usage.units,
        ask: Ask::Release,
        end: true,
    };
    Ok(client.heartbeat(&token, former.noted.session, heartbeat).await?.credits_used)
}
