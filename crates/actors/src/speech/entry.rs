//! One utterance on its way into the store, and out of it again.

use std::sync::Arc;
use std::time::Duration;

use footlight_ledger::{AccountId, SessionId};
use footlight_session::UtteranceId;
use footlight_session::kept::{KeptKind, KeptUtterance};
use footlight_stage::room::Claim;
use footlight_store::{Expected, RecordVersion, StoreError};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::shelf::{self, Fate};
use super::{Shared, unnamed};

/// The pause after a step that failed.
const RETRY_FIRST: Duration = Duration::from_millis(250);
/// The longest pause; each is twice the one before.
const RETRY_LAST: Duration = Duration::from_secs(5);
/// How often the removal of an utterance is tried. After that it is the janitor's.
const REMOVE_TRIES: u32 = 20;

/// One utterance: what it is, and what the store has of it.
pub(super) struct Entry {
    pub(super) utterance: KeptUtterance,
    /// The sample that it goes on from here.
    pub(super) from: u64,
    /// Until the store has them.
    audio: Option<Arc<[i16]>>,
    has_blob: bool,
    /// The record as it was written last.
    version: Option<RecordVersion>,
    /// What is being written, under one version until it is known to be there: a write whose answer got lost is repeated as
    /// it was.
    attempt: Option<(KeptUtterance, RecordVersion)>,
    /// The record says less than is known.
    pub(super) is_stale: bool,
    is_over: bool,
    /// Somebody is at it.
    pub(super) is_busy: bool,
    since: Instant,
    /// What its samples take of what may be kept.
    _claim: Option<Claim>,
    /// Told once it is durable.
    durable: Option<oneshot::Sender<()>>,
}

/// What is to be done next about an utterance.
enum Step {
    WriteBlob(Arc<[i16]>),
    WriteRecord(KeptUtterance, RecordVersion, Expected),
    RemoveRecord(RecordVersion),
    RemoveBlob,
}

impl Entry {
    pub(super) fn of_upload(audio: Arc<[i16]>, claim: Claim, durable: oneshot::Sender<()>) -> Self {
        let utterance = unnamed(KeptKind::Upload, audio.len() as u64);
        Self { audio: Some(audio), _claim: Some(claim), durable: Some(durable), ..Self::new(utterance) }
    }

    pub(super) fn of_live() -> Self {
        Self::new(unnamed(KeptKind::Live, 0))
    }

    /// One that a former owner left, whose record has this version now.
    pub(super) fn inherited(utterance: KeptUtterance, from: u64, version: RecordVersion, claim: Option<Claim>) -> Self {
        let has_blob = utterance.kind == KeptKind::Upload;
        Self { from, has_blob, version: Some(version), is_stale: false, _claim: claim, ..Self::new(utterance) }
    }

    fn new(utterance: KeptUtterance) -> Self {
        Self {
            utterance,
            from: 0,
            audio: None,
            has_blob: false,
            version: None,
            attempt: None,
            is_stale: true,
            is_over: false,
            is_busy: false,
            since: Instant::now(),
            _claim: None,
            durable: None,
        }
    }

    pub(super) fn end(&mut self) {
        self.is_over = true;
        self.audio = None;
        // Whoever waits for it need not: it is over.
        self.durable = None;
    }

    fn next(&mut self) -> Option<Step> {
        if self.attempt.is_none() && self.is_over {
            return match self.version {
                Some(version) => Some(Step::RemoveRecord(version)),
                None => self.has_blob.then_some(Step::RemoveBlob),
            };
        }
        if let Some(audio) = &self.audio {
            return Some(Step::WriteBlob(Arc::clone(audio)));
        }
        if self.attempt.is_none() && self.is_stale {
            self.attempt = Some((self.utterance.clone(), RecordVersion(rand::random())));
        }
        let (utterance, next) = self.attempt.clone()?;
        Some(Step::WriteRecord(utterance, next, self.version.map_or(Expected::Absent, Expected::Version)))
    }
}

impl Shared {
    /// Does what there is to do about an utterance, unless somebody is at it.
    pub(super) fn work(shared: &Arc<Self>, session: SessionId, id: UtteranceId) {
        {
            let mut sessions = shared.sessions.lock();
            let entry = sessions.get_mut(&session).and_then(|kept| kept.entries.get_mut(&id));
            let Some(entry) = entry.filter(|entry| !entry.is_busy) else { return };
            entry.is_busy = true;
        }
        let shared_by_task = Arc::clone(shared);
        shared.runtime.spawn(async move {
            let mut pause = RETRY_FIRST;
            let mut failures = 0;
            while let Some((account, step)) = shared_by_task.next_step(session, id) {
                let is_removal = matches!(step, Step::RemoveRecord(_) | Step::RemoveBlob);
                let Err(error) = shared_by_task.take_step(account, session, id, step).await else {
                    (pause, failures) = (RETRY_FIRST, 0);
                    continue;
                };
                failures += 1;
                shared_by_task.metrics.store_failed(&error);
                if !error.is_transport() || (is_removal && failures >= REMOVE_TRIES) {
                    tracing::warn!(%session, utterance = %id, %error, "kept speech cannot be written or removed");
                    shared_by_task.drop_entry(session, id);
                    break;
                }
                sleep(pause).await;
                pause = (pause * 2).min(RETRY_LAST);
            }
            shared_by_task.settled.notify_waiters();
        });
    }

    /// What is next; `None` when all is done.
    fn next_step(&self, session: SessionId, id: UtteranceId) -> Option<(AccountId, Step)> {
        let mut sessions = self.sessions.lock();
        let kept = sessions.get_mut(&session)?;
        let entry = kept.entries.get_mut(&id)?;
        if let Some(step) = entry.next() {
            return Some((kept.account, step));
        }
        entry.is_busy = false;
        if entry.is_over {
            kept.entries.remove(&id);
            if kept.entries.is_empty() {
                sessions.remove(&session);
            }
        } else if let Some(durable) = entry.durable.take() {
            self.metrics.speech_kept.observe(entry.since.elapsed().as_secs_f64());
            // Whoever waited may have gone.
            let _ = durable.send(());
        }
        None
    }

    async fn take_step(
        &self,
        account: AccountId,
        session: SessionId,
        id: UtteranceId,
        step: Step,
    ) -> Result<(), StoreError> {
        let store = &*self.store;
        match step {
            Step::WriteBlob(audio) => {
                let _turn = self.turns.acquire().await;
                // Before it is written: what may have been is removed, too.
                self.note(session, id, |entry| entry.has_blob = true);
                shelf::write_samples(store, account, session, id, &audio).await?;
                self.note(session, id, |entry| entry.audio = None);
            }
            Step::WriteRecord(utterance, next, expected) => {
                let looked_at = (self.wall)();
                match shelf::write(store, account, session, &utterance, expected, next, looked_at).await? {
                    Fate::Done => self.note(session, id, |entry| {
                        (entry.version, entry.attempt) = (Some(next), None);
                        // It may have gone on meanwhile.
                        entry.is_stale = entry.utterance != utterance;
                    }),
                    Fate::Fenced => self.fenced(session, id),
                }
            }
            Step::RemoveRecord(version) => {
                match shelf::remove(store, account, session, id, Expected::Version(version)).await? {
                    Fate::Done => self.note(session, id, |entry| entry.version = None),
                    Fate::Fenced => self.fenced(session, id),
                }
            }
            Step::RemoveBlob => {
                shelf::remove_samples(store, account, session, id).await?;
                self.note(session, id, |entry| entry.has_blob = false);
            }
        }
        Ok(())
    }

    fn note(&self, session: SessionId, id: UtteranceId, note: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.sessions.lock().get_mut(&session).and_then(|kept| kept.entries.get_mut(&id)) {
            note(entry);
        }
    }

    /// The heir has it: nothing of it is touched.
    fn fenced(&self, session: SessionId, id: UtteranceId) {
        self.metrics.fenced("speech");
        self.drop_entry(session, id);
    }

    fn drop_entry(&self, session: SessionId, id: UtteranceId) {
        let mut sessions = self.sessions.lock();
        if let Some(kept) = sessions.get_mut(&session) {
            kept.entries.remove(&id);
            if kept.entries.is_empty() {
                sessions.remove(&session);
            }
        }
    }
}
