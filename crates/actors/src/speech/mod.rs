//! What sessions still have to say, kept in the store until it is spoken, so that another node can say it.
//!
//! An utterance is a small record and, where it was uploaded, a blob with its samples. The blob is written before the record
//! that names it and removed after it. Each record has a version that only the session's owner knows: an heir gives them
//! new ones, and a former owner can then neither change nor remove them.
//!
//! Suggested reading order: `entry` (one utterance on its way into the store and out of it), `shelf` (how it lies there),
//! `inherit` (what an heir finds), `janitor` (what a crash left).

mod entry;
mod inherit;
mod janitor;
mod shelf;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use footlight_ledger::{AccountId, SessionId, Units};
use footlight_session::UtteranceId;
use footlight_session::kept::{Begun, KeptKind, KeptUtterance};
use footlight_stage::room::Room;
use footlight_store::Store;
use footlight_store::desk::Clock;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, oneshot};

use self::entry::Entry;
use crate::metrics::Metrics;

pub(crate) use inherit::Inheritance;
pub(crate) use shelf::discard;

/// Uploads written or read at once: each takes the memory of its samples a second time, 96 kB a second of speech.
const MOVED_AT_ONCE: usize = 8;
/// How long what a session kept may take to be removed before what is left of it is looked for.
const REMOVED_WITHIN: Duration = Duration::from_secs(30);

/// Keeps speech, where nodes share a store. Clones are the same one.
#[derive(Clone)]
pub(crate) struct SpeechKeeper {
    /// `None` where nobody could inherit it.
    shared: Option<Arc<Shared>>,
}

struct Shared {
    store: Arc<dyn Store>,
    wall: Clock,
    metrics: Arc<Metrics>,
    /// Where the work is done: never on the threads that carry sessions.
    runtime: Handle,
    turns: Semaphore,
    room: Arc<Room>,
    /// As many utterances as stages hold, and those that are being removed.
    sessions: Mutex<HashMap<SessionId, Kept>>,
    settled: Notify,
}

/// One session's utterances.
struct Kept {
    account: AccountId,
    next_order: u64,
    entries: HashMap<UtteranceId, Entry>,
}

impl SpeechKeeper {
    /// Keeps as many bytes as there is `room` for, and nothing where there is none. Must be called within a tokio runtime.
    pub(crate) fn start(store: Arc<dyn Store>, wall: Clock, metrics: Arc<Metrics>, room: Option<Arc<Room>>) -> Self {
        let shared = room.map(|room| {
            let shared = Arc::new(Shared {
                store,
                wall,
                metrics,
                runtime: Handle::current(),
                turns: Semaphore::new(MOVED_AT_ONCE),
                room,
                sessions: Mutex::default(),
                settled: Notify::new(),
            });
            tokio::spawn(janitor::run(Arc::downgrade(&shared)));
            shared
        });
        Self { shared }
    }

    /// Keeps an upload behind what the session has. Answered once it is durable; `None` where nothing is kept, or no more is.
    pub(crate) fn keep(
        &self,
        account: AccountId,
        session: SessionId,
        id: UtteranceId,
        audio: Arc<[i16]>,
    ) -> Option<oneshot::Receiver<()>> {
        let shared = self.shared.as_ref()?;
        let mut claim = shared.room.claim(account);
        if claim.take(shelf::bytes_of(audio.len() as u64)).is_err() {
            tracing::debug!(%account, %session, utterance = %id, "as much speech is kept as may be; this is not");
            shared.metrics.speech_not_kept.inc();
            return None;
        }
        let (durable, told) = oneshot::channel();
        let entry = Entry::of_upload(audio, claim, durable);
        self.insert(account, session, id, entry).then_some(told)
    }

    /// Remembers a live utterance: its samples are its sender's.
    pub(crate) fn keep_live(&self, account: AccountId, session: SessionId, id: UtteranceId) {
        self.insert(account, session, id, Entry::of_live());
    }

    fn insert(&self, account: AccountId, session: SessionId, id: UtteranceId, mut entry: Entry) -> bool {
        let Some(shared) = &self.shared else { return false };
        {
            let mut sessions = shared.sessions.lock();
            let kept = sessions.entry(session).or_insert_with(|| Kept::of(account));
            entry.utterance.id = id;
            entry.utterance.order = kept.next_order;
            kept.next_order += 1;
            kept.entries.insert(id, entry);
        }
        Shared::work(shared, session, id);
        true
    }

    /// The first frame of an utterance was handed out, after `units` of the session.
    pub(crate) fn begun(&self, session: SessionId, id: UtteranceId, units: Units) {
        self.change(session, id, |entry| {
            entry.utterance.begun = Some(Begun { units, sample: entry.from });
            entry.is_stale = true;
        });
    }

    /// An utterance is over: nobody need say it any more.
    pub(crate) fn over(&self, session: SessionId, id: UtteranceId) {
        self.change(session, id, Entry::end);
    }

    /// All of a session's are: it has ended.
    pub(crate) fn session_over(&self, session: SessionId) {
        for id in self.known(session) {
            self.over(session, id);
        }
    }

    /// Removes what former owners of a session that is over left half written, once what this one kept is removed.
    pub(crate) fn clear_up(&self, account: AccountId, session: SessionId) {
        let Some(shared) = self.shared.clone() else { return };
        let keeper = self.clone();
        let runtime = shared.runtime.clone();
        runtime.spawn(async move {
            keeper.flush(session, REMOVED_WITHIN).await;
            if let Err(error) = shelf::discard(&*shared.store, account, session).await {
                tracing::debug!(%session, %error, "speech of former owners stays");
            }
        });
    }

    /// The session is another node's, and so is what it has to say.
    pub(crate) fn forget(&self, session: SessionId) {
        if let Some(shared) = &self.shared {
            shared.sessions.lock().remove(&session);
            shared.settled.notify_waiters();
        }
    }

    /// Waits until the store has all that is known of a session, but no longer than `deadline`. Says whether it has.
    pub(crate) async fn flush(&self, session: SessionId, deadline: Duration) -> bool {
        self.wait(deadline, |sessions| sessions.get(&session).is_some_and(Kept::is_busy)).await
    }

    /// As [`SpeechKeeper::flush`], for all sessions. What is not removed by then is the janitor's.
    pub(crate) async fn settled(&self, deadline: Duration) -> bool {
        self.wait(deadline, |sessions| sessions.values().any(Kept::is_busy)).await
    }

    async fn wait(&self, deadline: Duration, is_busy: impl Fn(&HashMap<SessionId, Kept>) -> bool) -> bool {
        let Some(shared) = &self.shared else { return true };
        let settled = async {
            loop {
                let settled = shared.settled.notified();
                if !is_busy(&shared.sessions.lock()) {
                    return;
                }
                settled.await;
            }
        };
        tokio::time::timeout(deadline, settled).await.is_ok()
    }

    fn change(&self, session: SessionId, id: UtteranceId, change: impl FnOnce(&mut Entry)) {
        let Some(shared) = &self.shared else { return };
        {
            let mut sessions = shared.sessions.lock();
            let entry = sessions.get_mut(&session).and_then(|kept| kept.entries.get_mut(&id));
            let Some(entry) = entry else { return };
            change(entry);
        }
        Shared::work(shared, session, id);
    }

    fn known(&self, session: SessionId) -> Vec<UtteranceId> {
        let Some(shared) = &self.shared else { return Vec::new() };
        shared.sessions.lock().get(&session).map(|kept| kept.entries.keys().copied().collect()).unwrap_or_default()
    }
}

impl Kept {
    fn of(account: AccountId) -> Self {
        Self { account, next_order: 0, entries: HashMap::new() }
    }

    fn is_busy(&self) -> bool {
        self.entries.values().any(|entry| entry.is_busy)
    }
}

fn unnamed(kind: KeptKind, samples: u64) -> KeptUtterance {
    KeptUtterance { id: UtteranceId(uuid::Uuid::nil()), order: 0, kind, samples, begun: None }
}
