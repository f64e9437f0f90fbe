//! `footlight audit`: do the books balance?

use super::{print, settings_for};
use crate::assembly::{OpenStore, open_store};
use crate::audit::audit;
use crate::cli::{Audit, Global};
use crate::exit::{Failure, coded};

pub(crate) fn run(global: &Global, options: &Audit) -> anyhow::Result<()> {
    let settings = settings_for(global, &[])?.settings;
    let account = options.account.as_deref().map(str::parse).transpose()?;
    super::serve::block_on_system(async move {
        let OpenStore { store, .. } = open_store(&settings).await?;
        let report = audit(store.as_ref(), account).await?;
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
