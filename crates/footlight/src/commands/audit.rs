//! `footlight audit`: do the books balance?

use footlight_ledger::AccountId;
use footlight_store::StoreError;
use reqwest::Method;

use super::http::Http;
use super::{print, settings_for};
use crate::assembly::{OpenStore, Place, open_store};
use crate::audit::{AuditReport, audit};
use crate::cli::{Audit, Global};
use crate::exit::{Failure, coded};
use crate::settings::Settings;

pub(crate) fn run(global: &Global, options: &Audit) -> anyhow::Result<()> {
    let settings = settings_for(global, &[])?.settings;
    let account: Option<AccountId> = options.account.as_deref().map(str::parse).transpose()?;
    super::serve::block_on_system(async move {
        let report = report(&settings, options, account).await?;
        if global.json {
            print::json(&report)?;
        } else {
            report.print();
        }
        if report.balanced() {
            Ok(())
        } else {
            Err(coded(Failure::Unbalanced, "the books do not balance; please report this with the output above"))
        }
    })
}

/// Reads the store, or asks the node that has it in use.
async fn report(settings: &Settings, options: &Audit, account: Option<AccountId>) -> anyhow::Result<AuditReport> {
    // Nothing always balances.
    Place::read(settings, &settings.store)?.expect_books()?;
    let refused = match open_store(settings).await {
        Ok(OpenStore { store, .. }) => return audit(store.as_ref(), account).await,
        Err(error) if matches!(error.downcast_ref(), Some(StoreError::Refused { .. })) => error,
        Err(error) => return Err(error),
    };
    let Some(operator) = options.operator.clone().given() else {
        let hint =
            "if a node runs on it, set FOOTLIGHT_ADMIN_TOKEN, and FOOTLIGHT_ADMIN_URL if need be, to ask that node";
        return Err(coded(Failure::Unreachable, format!("{refused}; {hint}")));
    };
    eprintln!("footlight: the store is taken; asking the node at {}", operator.admin_url);
    let http = Http::operator(&operator)?;
    let accounts = match account {
        Some(account) => {
            let page = http.send(http.request(Method::GET, &format!("/admin/v1/audit?account={account}"))).await?;
            page["data"].as_array().cloned().unwrap_or_default()
        }
        None => http.list("/admin/v1/audit", usize::MAX).await?,
    };
    AuditReport::told(&accounts)
}
