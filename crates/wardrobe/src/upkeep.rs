//! Removes what is to be kept for a while only.

use std::sync::Weak;
use std::time::Duration;

use footlight_store::{StoreError, codec};

use crate::Inner;
use crate::pictures::{PICTURES, Picture};

/// How often it is looked for what is due.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Lines looked at in one round, and pictures of each.
const LINES_MAX: usize = 4_096;
const PICTURES_MAX: usize = 100;

/// Removes what is due, until the wardrobe is gone.
pub(crate) async fn run(inner: Weak<Inner>) {
    loop {
        let Some(wardrobe) = inner.upgrade() else { return };
        if let Err(error) = round(&wardrobe).await {
            tracing::debug!(%error, "pictures that are over stay for now");
        }
        drop(wardrobe);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

pub(crate) async fn round(wardrobe: &Inner) -> Result<(), StoreError> {
    let now = wardrobe.now();
    for line in wardrobe.store().due_queues(PICTURES, now, LINES_MAX).await? {
        let Some(account) = line.owner.account() else { continue };
        for record in wardrobe.store().list_due(line.owner, PICTURES, &line.queue, now, PICTURES_MAX).await? {
            let removed = match codec::decode::<Picture>(&record.body, || record.id.clone()) {
                Ok(picture) => wardrobe.remove_picture(account, picture.id).await,
                Err(error) => Err(error),
            };
            match removed {
                Err(error) if error.is_transport() => return Err(error),
                // What is wrong with one picture is wrong with it alone.
                Err(error) => tracing::error!(%error, %account, picture = record.id, "a picture cannot be removed"),
                Ok(()) => {}
            }
        }
    }
    Ok(())
}
