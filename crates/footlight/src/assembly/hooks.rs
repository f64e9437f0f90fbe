//! Webhooks, and who tells them of sessions.

use std::sync::Arc;

use async_trait::async_trait;
use footlight_actors::Announcer;
use footlight_hooks::{HookOptions, HookParts, Hooks, News};
use footlight_session::{SessionChange, SessionRecord};
use footlight_store::{LedgerDesk, Store};
use prometheus::Registry;

use super::now;
use crate::settings::{Environment, Settings};

/// Starts the webhooks, before the node: what its recovery finds out is told too.
///
/// # Errors
/// When metrics of their names are registered already.
pub(super) fn start(
    settings: &Settings,
    store: &Arc<dyn Store>,
    desk: &LedgerDesk,
    registry: &Registry,
) -> Result<Hooks, prometheus::Error> {
    Hooks::start(HookParts {
        store: Arc::clone(store),
        desk: desk.clone(),
        clock: Arc::new(now),
        encode: Arc::new(footlight_api::encode_event),
        options: options(settings),
        registry: registry.clone(),
    })
}

fn options(settings: &Settings) -> HookOptions {
    let webhooks = &settings.webhooks;
    HookOptions {
        max_endpoints: webhooks.max_per_account,
        concurrency: webhooks.concurrency,
        timeout: webhooks.timeout,
        first_retry: webhooks.first_retry,
        last_retry: webhooks.last_retry,
        give_up_after: webhooks.give_up_after,
        disable_after: webhooks.disable_after,
        kept: webhooks.keep_log_for,
        allow_http: settings.environment == Environment::Development,
        allow_private: webhooks.allow_private_addresses,
        pace: webhooks.pace,
        ..HookOptions::default()
    }
}

/// Tells the webhooks of sessions.
pub(super) struct Told(pub(super) Hooks);

#[async_trait]
impl Announcer for Told {
    fn session(&self, change: SessionChange, record: SessionRecord) {
        let account = record.account;
        self.0.tell(account, now(), News::Session { change, record: Box::new(record) });
    }

    async fn written(&self) {
        self.0.written().await;
    }
}
