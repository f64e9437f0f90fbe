//! Session records.

use std::sync::Arc;

use footlight_session::{SessionRecord, SessionState};

use super::{Depth, MoveError, Mover, Progress};
use crate::Store;
use crate::transfer::tally::{Kind, Tally};
use crate::transfer::walk::{Pair, Side, Walk};

/// Session records read and written at once.
const SESSIONS_PAGE: usize = 512;

/// What the target would remove within this time, in milliseconds, is not moved: it might be gone before it is verified.
const KEPT_MARGIN_MS: i64 = 3_600_000;

/// Open sessions that are named.
const OPEN_NAMED: u64 = 5;

impl Mover {
    /// Newest first, as stores list them.
    pub(super) async fn sessions(&self, depth: Depth, tally: &mut Tally) -> Result<(), MoveError> {
        let list = |store: &Arc<dyn Store>| {
            let store = Arc::clone(store);
            Walk::new(move |before: Option<&SessionRecord>| {
                let (store, before) = (Arc::clone(&store), before.map(|record| record.id));
                async move { store.list_sessions(None, before, SESSIONS_PAGE).await }
            })
        };
        let kept = self.target.sessions_kept();
        let kept_ms = kept.map(|kept| i64::try_from(kept.as_millis()).unwrap_or(i64::MAX));
        let leaves_out = |record: &SessionRecord| {
            let ended_at = record.ended_at.filter(|_| record.state == SessionState::Ended);
            ended_at.zip(kept_ms).is_some_and(|(at, kept)| at.0.saturating_add(kept) < self.now.0 + KEPT_MARGIN_MS)
        };
        let mut pair = Pair::new(list(&self.source), list(&self.target), |one, other| other.id.cmp(&one.id));
        let (mut moved, mut told) = (Vec::new(), 0);
        while let Some(side) = pair.next().await? {
            told += 1;
            if told % SESSIONS_PAGE as u64 == 0 {
                (self.progress)(Progress::Sessions(SESSIONS_PAGE as u64));
            }
            if let Side::Source(record) | Side::Both(record, _) = &side {
                tally.of(Kind::Sessions).source += 1;
                if record.state != SessionState::Ended {
                    tally.open_sessions += 1;
                    if tally.open_sessions <= OPEN_NAMED {
                        tally.open_named.push(record.id);
                    }
                }
                if leaves_out(record) {
                    tally.of(Kind::Sessions).left_out += 1;
                    continue;
                }
            }
            let count = tally.of(Kind::Sessions);
            match side {
                Side::Both(one, other) if one == other => count.same += 1,
                Side::Both(one, _) => {
                    count.differing += 1;
                    if depth == Depth::Move && self.continues {
                        moved.push(one);
                    } else if depth == Depth::Verify || !self.continues {
                        tally.note(|| format!("{} differs", one.id));
                    }
                }
                Side::Source(one) => {
                    count.missing += 1;
                    match depth {
                        Depth::Move => moved.push(one),
                        Depth::Look => {}
                        Depth::Verify => tally.note(|| format!("{} is not in the target", one.id)),
                    }
                }
                // The source may have let it go meanwhile.
                Side::Target(_) => count.extra += 1,
            }
            if moved.len() >= SESSIONS_PAGE {
                self.target.load_sessions(std::mem::take(&mut moved)).await.map_err(MoveError::Target)?;
            }
        }
        (self.progress)(Progress::Sessions(told % SESSIONS_PAGE as u64));
        self.target.load_sessions(moved).await.map_err(MoveError::Target)
    }
}
