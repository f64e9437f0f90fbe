//! What belongs to an owner: records and blobs.

use std::sync::Arc;

use super::{Depth, MoveError, Mover};
use crate::transfer::tally::{Count, Kind, Tally};
use crate::transfer::walk::{Pair, Side, Walk};
use crate::transfer::{Inventory, collection};
use crate::{
    BlobInfo, Expected, Owner, Record, RecordBatch, RecordKey, RecordOp, RecordOutcome, RecordRange, Store, StoreError,
};

/// Records read and written at once: usually a kilobyte each, 256 at most.
const RECORDS_PAGE: usize = 32;

impl Mover {
    /// An owner's records and blobs.
    pub(super) async fn owned(
        &self,
        depth: Depth,
        owner: Owner,
        inventory: &Inventory,
        tally: &mut Tally,
    ) -> Result<(), MoveError> {
        for name in &inventory.collections {
            self.records(depth, owner, collection(name).map_err(MoveError::Source)?, tally).await?;
        }
        self.blobs(depth, owner, tally).await
    }

    async fn records(
        &self,
        depth: Depth,
        owner: Owner,
        collection: &'static str,
        tally: &mut Tally,
    ) -> Result<(), MoveError> {
        let list = |store: &Arc<dyn Store>| {
            let store = Arc::clone(store);
            Walk::new(move |after: Option<&Record>| {
                let after = after.map(|record| record.id.clone());
                let (store, range) =
                    (Arc::clone(&store), RecordRange { after, limit: RECORDS_PAGE, ..RecordRange::default() });
                async move { store.list_records(owner, collection, range).await }
            })
        };
        let mut pair = Pair::new(list(&self.source), list(&self.target), |one, other| one.id.cmp(&other.id));
        let mut steps = Vec::new();
        while let Some(side) = pair.next().await? {
            let count = tally.of(Kind::Records);
            count.source += u64::from(!matches!(side, Side::Target(_)));
            match side {
                Side::Both(one, other) if one == other => count.same += 1,
                Side::Both(one, _) => {
                    count.differing += 1;
                    if self.continues && depth == Depth::Move {
                        steps.push(put(collection, one, Expected::Any));
                    } else if !self.continues || depth == Depth::Verify {
                        tally.note(|| format!("{owner}: {collection} {} differs", one.id));
                    }
                }
                Side::Source(one) => {
                    count.missing += 1;
                    match depth {
                        Depth::Move => steps.push(put(collection, one, Expected::Absent)),
                        Depth::Look => {}
                        Depth::Verify => {
                            tally.note(|| format!("{owner}: {collection} {} is not in the target", one.id))
                        }
                    }
                }
                // What the service itself has noted is no account's, and may stay.
                Side::Target(_) if owner == Owner::Service => count.extra += 1,
                Side::Target(other) => {
                    count.extra += 1;
                    if self.continues && depth == Depth::Move {
                        let key = RecordKey { collection, id: other.id };
                        steps.push(RecordOp::Delete { key, expected: Expected::Version(other.version) });
                    } else if !self.continues || depth == Depth::Verify {
                        tally.note(|| format!("{owner}: {collection} {} is only in the target", other.id));
                    }
                }
            }
            if steps.len() >= RECORDS_PAGE {
                self.write(owner, std::mem::take(&mut steps)).await?;
            }
        }
        self.write(owner, steps).await
    }

    /// Each on its own: a batch that meets a part of itself counts as written.
    async fn write(&self, owner: Owner, steps: Vec<RecordOp>) -> Result<(), MoveError> {
        if steps.is_empty() {
            return Ok(());
        }
        let batches = steps.into_iter().map(|step| RecordBatch { owner, ops: vec![step] }).collect();
        for outcome in self.target.write_records(batches).await {
            if outcome.map_err(MoveError::Target)? == RecordOutcome::Conflict {
                return Err(MoveError::Disturbed(format!("a record of {owner} has appeared there")));
            }
        }
        Ok(())
    }

    async fn blobs(&self, depth: Depth, owner: Owner, tally: &mut Tally) -> Result<(), MoveError> {
        let source = self.source.list_blobs(owner).await.map_err(MoveError::Source)?;
        let target = self.target.list_blobs(owner).await.map_err(MoveError::Target)?;
        let mut pair = Pair::new(Walk::of(source), Walk::of(target), |one, other| one.id.cmp(&other.id));
        while let Some(side) = pair.next().await? {
            let (Side::Source(BlobInfo { id, len })
            | Side::Both(BlobInfo { id, len }, _)
            | Side::Target(BlobInfo { id, len })) = &side;
            let (id, len) = (id.as_str(), *len);
            let mut counted = |count: fn(&mut Count) -> &mut u64| {
                *count(tally.of(Kind::Blobs)) += 1;
                *count(tally.of(Kind::BlobBytes)) += len;
            };
            if !matches!(side, Side::Target(_)) {
                counted(|count| &mut count.source);
            }
            match &side {
                Side::Both(one, other) => {
                    let looks_same = one.len == other.len;
                    let reads = depth == Depth::Verify || depth == Depth::Move && self.continues;
                    if looks_same && (!reads || self.is_same_blob(owner, id).await?) {
                        counted(|count| &mut count.same);
                        continue;
                    }
                    counted(|count| &mut count.differing);
                    if depth == Depth::Move && self.continues {
                        self.put_blob(owner, id).await?;
                    } else if depth == Depth::Verify || !self.continues {
                        tally.note(|| format!("{owner}: the blob {id} differs"));
                    }
                }
                Side::Source(_) => {
                    counted(|count| &mut count.missing);
                    match depth {
                        Depth::Move => self.put_blob(owner, id).await?,
                        Depth::Look => {}
                        Depth::Verify => tally.note(|| format!("{owner}: the blob {id} is not in the target")),
                    }
                }
                // As with records.
                Side::Target(_) if owner == Owner::Service => counted(|count| &mut count.extra),
                Side::Target(_) => {
                    counted(|count| &mut count.extra);
                    if depth == Depth::Move && self.continues {
                        self.target.delete_blob(owner, id).await.map_err(MoveError::Target)?;
                    } else if depth == Depth::Verify || !self.continues {
                        tally.note(|| format!("{owner}: the blob {id} is only in the target"));
                    }
                }
            }
        }
        Ok(())
    }

    async fn put_blob(&self, owner: Owner, id: &str) -> Result<(), MoveError> {
        let _turn = self.one_blob.lock().await;
        let Some(bytes) = self.source.get_blob(owner, id).await.map_err(MoveError::Source)? else {
            return Err(MoveError::Source(StoreError::Corrupt {
                place: format!("the blob {id} of {owner}"),
                detail: "it is listed, and not there".to_owned(),
            }));
        };
        self.target.put_blob(owner, id, bytes).await.map_err(MoveError::Target)
    }

    async fn is_same_blob(&self, owner: Owner, id: &str) -> Result<bool, MoveError> {
        let _turn = self.one_blob.lock().await;
        let one = self.source.get_blob(owner, id).await.map_err(MoveError::Source)?;
        let other = self.target.get_blob(owner, id).await.map_err(MoveError::Target)?;
        Ok(one.is_some() && one == other)
    }
}

fn put(collection: &'static str, record: Record, expected: Expected) -> RecordOp {
    let Record { id, version, due, body } = record;
    RecordOp::Put { key: RecordKey { collection, id }, expected, next: version, due, body }
}
