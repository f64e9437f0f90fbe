//! What an heir finds of a session's speech, and makes its own.

use std::sync::Arc;

use footlight_ledger::{AccountId, SessionId, Units};
use footlight_session::UtteranceId;
use footlight_session::kept::{KeptKind, KeptUtterance, Testament};
use footlight_stage::{Remainder, Utterance};
use footlight_store::records::write_surely;
use footlight_store::{Expected, Owner, RecordBatch, RecordOutcome, RecordVersion, StoreError};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::entry::Entry;
use super::shelf;
use super::{Kept, MOVED_AT_ONCE, Shared, SpeechKeeper};

/// How often the records are read again that a former owner changed meanwhile: it is fenced in the account by then.
const TRIES_MAX: u32 = 4;
/// Samples in a millisecond.
const SAMPLES_PER_MS: u64 = 48;

/// What a session goes on with.
#[derive(Default)]
pub(crate) struct Inheritance {
    /// What it says, in this order.
    pub(crate) speak: Vec<Remainder>,
    /// Live utterances that whoever sent them has to send again, from a position in milliseconds.
    pub(crate) resend: Vec<(UtteranceId, u64)>,
}

impl SpeechKeeper {
    /// Takes over what a former owner left unsaid of a session of which `proved` units are charged, and whose frames take
    /// `samples_per_frame`. From then on the former owner can change none of it.
    ///
    /// # Errors
    /// What the store said.
    pub(crate) async fn inherit(
        &self,
        account: AccountId,
        session: SessionId,
        proved: Units,
        samples_per_frame: u64,
    ) -> Result<Inheritance, StoreError> {
        let Some(shared) = &self.shared else { return Ok(Inheritance::default()) };
        let store = &*shared.store;
        let (testament, claimed) = shared.claim(account, session, proved, samples_per_frame).await?;
        for id in &testament.over {
            // The record is gone: what stays of the samples now would stay.
            shelf::remove_samples(store, account, session, *id).await?;
        }
        let read = stream::iter(testament.speak.clone()).map(|left| async move {
            Ok::<_, StoreError>((left, shelf::read_samples(store, account, session, left.id).await?))
        });
        let read: Vec<_> = read.buffered(MOVED_AT_ONCE).try_collect().await?;

        let mut kept = Kept::of(account);
        kept.next_order = claimed.iter().map(|(utterance, _)| utterance.order + 1).max().unwrap_or(0);
        let from = |id| testament.speak.iter().chain(&testament.resend).find(|left| left.id == id);
        for (utterance, version) in claimed {
            if let Some(left) = from(utterance.id) {
                let is_upload = utterance.kind == KeptKind::Upload;
                // It is in the store already: whether there is room is not asked.
                let claim = is_upload.then(|| {
                    let mut claim = shared.room.claim(account);
                    claim.take_always(shelf::bytes_of(utterance.samples));
                    claim
                });
                kept.entries.insert(utterance.id, Entry::inherited(utterance, left.from, version, claim));
            }
        }
        if !kept.entries.is_empty() {
            shared.sessions.lock().insert(session, kept);
        }
        let resend = testament.resend.iter().map(|left| (left.id, left.from / SAMPLES_PER_MS)).collect();
        let mut inheritance = Inheritance { speak: Vec::new(), resend };
        for (left, audio) in read {
            let Some(audio) = audio else {
                tracing::error!(%session, utterance = %left.id, "the samples of kept speech are gone; it is not spoken");
                self.over(session, left.id);
                continue;
            };
            let from = usize::try_from(left.from).unwrap_or(usize::MAX);
            inheritance.speak.push(Remainder { utterance: Utterance { id: left.id, audio }, from });
        }
        Ok(inheritance)
    }
}

impl Shared {
    /// Gives all records that go on new versions, and removes those that are over, in one step.
    async fn claim(
        &self,
        account: AccountId,
        session: SessionId,
        proved: Units,
        samples_per_frame: u64,
    ) -> Result<(Testament, Vec<(KeptUtterance, RecordVersion)>), StoreError> {
        let (store, owner): (&Arc<_>, _) = (&self.store, Owner::Account(account));
        for _ in 0..TRIES_MAX {
            let found = shelf::list(&**store, account, session).await?;
            let kept = found.iter().map(|(_, utterance)| utterance.clone()).collect();
            let testament = Testament::read(kept, proved, samples_per_frame);
            if found.is_empty() {
                return Ok((testament, Vec::new()));
            }
            let now = (self.wall)();
            let mut claimed = Vec::new();
            let ops = found.into_iter().map(|(version, utterance)| {
                let expected = Expected::Version(version);
                if testament.over.contains(&utterance.id) {
                    return shelf::delete(session, utterance.id, expected);
                }
                let next = RecordVersion(rand::random());
                let op = shelf::put(session, &utterance, expected, next, now);
                claimed.push((utterance, next));
                op
            });
            let ops = ops.collect();
            if write_surely(&**store, RecordBatch { owner, ops }).await? == RecordOutcome::Written {
                return Ok((testament, claimed));
            }
        }
        Err(StoreError::Contended { account, tries: TRIES_MAX })
    }
}
