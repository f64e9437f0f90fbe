//! What a former run left: its last report is made for it.

use std::path::Path;
use std::time::Duration;

use footlight_ledger::Ask;

use super::EngineError;
use super::usage_file::Former;
use crate::api::Client;
use crate::error::ApiError;
use crate::shapes::Heartbeat;

/// How long a session is kept that the node does not know: longer than it would remember it.
const KEPT: Duration = Duration::from_secs(8 * 24 * 3600);

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
            Err(error) if matches!(error.code(), Some("session_ended" | "fenced")) => {
                tracing::info!(%session, %error, "a session of a former run was settled before");
                former.remove();
            }
            // Another account's, or forgotten: the node remembers sessions for a week.
            Err(error) if error.code() == Some("unknown_session") && former.age() > KEPT => {
                tracing::warn!(%session, units = former.usage.units, "a session of a former run is not known any more");
                former.remove();
            }
            Err(error) => tracing::warn!(%session, %error, "a session of a former run is settled at the next start"),
        }
    }
    Ok(())
}

async fn report(client: &Client, former: &Former) -> Result<footlight_ledger::Microcredits, ApiError> {
    let token = client.runtime_token(former.noted.surface, Some(former.noted.session)).await?;
    let last_report = |number: u64| Heartbeat {
        epoch: former.noted.epoch,
        request_number: number,
        units: former.usage.units,
        ask: Ask::Release,
        end: true,
    };
    // Higher than any that was noted, and the same at each try.
    let number = former.usage.number + 1;
    let answered = match client.heartbeat(&token, former.noted.session, last_report(number)).await {
        // A disk that was full has noted too low a number.
        Err(ApiError::Problem { code, last: Some(last), .. }) if code == "stale_request" => {
            client.heartbeat(&token, former.noted.session, last_report(last + 1)).await
        }
        answered => answered,
    };
    Ok(answered?.credits_used)
}
