//! Sessions that go on at another node: lost, moved, taken back, given up.

use std::sync::Arc;
use std::time::Duration;

use footlight_actors::{Announcer, Caller, CreateSession, EventStream, Node, NodeError, SessionEventKind};
use footlight_ledger::{AccountId, EndReason, Microcredits, PauseReason, Units};
use footlight_session::{Heirloom, Inherited, SessionChange, SessionRecord, SessionState, UtteranceId};
use footlight_stage::{OutletOptions, SpeakMode};
use footlight_store::blobs::SPEECH_BLOBS;
use footlight_store::{
    BlobStore as _, Owner, RecordRange, RecordStore as _, SessionDirectory as _, Store, recover_from_store,
};
use parking_lot::Mutex;

use crate::harness::{Session, Setting, Stand, speech};

/// Frames in a second.
const FPS: u64 = 25;

/// What an heir learns of the sessions of a node that is lost.
async fn left_by(stand: &Stand, node: &Node) -> Vec<Heirloom> {
    let store: &dyn Store = &*stand.store;
    let progress = recover_from_store(store, node.boot()).await.expect("it is mirrored");
    let owned = store.list_owned(node.name(), node.boot()).await.expect("it is listed");
    let heirloom = |record: SessionRecord| {
        let entry = progress.iter().find(|entry| entry.session == record.id && entry.epoch == record.epoch);
        Heirloom { proved: entry.map_or(record.units, |entry| entry.units), record, why: Inherited::NodeLost }
    };
    owned.into_iter().map(heirloom).collect()
}

async fn only_left_by(stand: &Stand, node: &Node) -> Heirloom {
    let mut left = left_by(stand, node).await;
    assert_eq!(left.len(), 1);
    left.remove(0)
}

/// Ten credits, and a session on the first node.
async fn speaking() -> (Stand, AccountId, Session) {
    let stand = Stand::with(Setting::shared("a")).await;
    let account = stand.account_with(Microcredits::from_credits(10)).await;
    let session = stand.session(account, CreateSession::default()).await;
    (stand, account, session)
}

async fn say(session: &Session, seconds: f64) -> UtteranceId {
    let speech = footlight_actors::Speech { audio: speech(seconds) };
    session.node.speak(session.who, session.id, speech, SpeakMode::Append).await.expect("it is queued")
}

/// Waits until the store has nothing to say any more.
async fn until_nothing_is_kept(stand: &Stand, account: AccountId) {
    let owner = Owner::Account(account);
    for _ in 0..400 {
        let range = RecordRange { limit: 10, ..RecordRange::default() };
        let records = stand.store.list_records(owner, "speech", range).await.expect("it lists");
        if records.is_empty() && stand.store.list_blobs(owner).await.expect("it lists").is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("speech that is over is kept");
}

async fn kept(stand: &Stand, account: AccountId) -> usize {
    stand.store.list_blobs(Owner::Account(account)).await.expect("it lists").len()
}

/// Follows until an utterance is over, and answers how each one was begun and ended on the way.
async fn until_spoken(events: &mut EventStream, last: UtteranceId) -> Vec<(UtteranceId, u64)> {
    let mut ended = Vec::new();
    while let Some(event) = events.next().await {
        if let SessionEventKind::UtteranceEnded { utterance, position_ms, interrupted, failed } = event.kind {
            assert_eq!((interrupted, failed), (false, None));
            ended.push((utterance, position_ms));
            if utterance == last {
                return ended;
            }
        }
    }
    panic!("it ended before: {ended:?}");
}

/// Ends the node's tenure, and answers how far the session came.
async fn cut_off(session: &Session) -> Units {
    session.node.tenure().end();
    // A frame may just be on its way.
    tokio::time::sleep(Duration::from_millis(80)).await;
    session.record().await.units
}

/// What was handed out was counted; what was counted last may not have left any more.
fn assert_seen(seen: u64, spoken: Units) {
    assert!((spoken.saturating_sub(3)..=spoken).contains(&seen), "{seen} of {spoken} frames were seen");
}

/// Whether a report was refused because the session has another owner.
fn fenced(node: &Node) -> bool {
    !node.metrics().contains("footlight_fenced_writes_total 0")
}

#[actix_rt::test]
async fn a_session_of_a_lost_node_goes_on_in_the_middle_of_its_speech() {
    let (stand, account, session) = speaking().await;
    let watcher = session.watch().await;
    let (long, short) = (say(&session, 6.0).await, say(&session, 1.0).await);
    assert_eq!(kept(&stand, account).await, 2, "uploads are in the store before they are acknowledged");
    session.until("it has spoken a while", |record| record.units > 2 * FPS).await;

    // It is cut off: it goes silent by itself.
    let spoken = cut_off(&session).await;
    let heirloom = only_left_by(&stand, &stand.node).await;
    let proved = heirloom.proved;
    assert!(proved > 0 && spoken - proved <= 2 * FPS, "at most two seconds are not proved: {proved} of {spoken}");
    let (heir, _dir) = stand.other(&Setting::shared("b")).await;
    let record = heir.adopt(heirloom.clone()).await.expect("it is adopted");
    assert_eq!((record.id, record.epoch, record.units, record.node.as_str()), (session.id, 2, proved, "b"));
    let again = heir.adopt(heirloom.clone()).await.expect("twice is once");
    assert_eq!((again.epoch, again.boot), (2, heir.boot()));

    let inherited = Session { node: heir.clone(), ..session.clone() };
    let mut events = heir.events(inherited.who, inherited.id).await.expect("it has events");
    let there = inherited.watch().await;
    assert_eq!(until_spoken(&mut events, short).await, [(long, 6_000), (short, 1_000)]);
    let record = inherited.until_state(SessionState::Idle).await;
    assert_eq!(record.units, 7 * FPS, "every frame that was proved, and every other once");
    assert_eq!(there.leave().await, 7 * FPS - proved);

    // The one that was cut off finds out, and leaves nothing behind.
    assert!(matches!(heir.adopt(Heirloom { proved, ..heirloom.clone() }).await, Ok(record) if record.epoch == 2));
    stand.node.disown_all().await;
    assert!(stand.node.hosted().is_empty() && fenced(&stand.node));
    assert_seen(watcher.leave().await, spoken);
    assert_eq!(stand.store_record(&session).await.node, "b");

    // It was lost while it wrote another upload: there are samples that no record names.
    let torn = format!("{SPEECH_BLOBS}{}.{}", session.id, UtteranceId(uuid::Uuid::now_v7()));
    stand.store.put_blob(Owner::Account(account), &torn, vec![0; 100]).await.expect("it is written");
    heir.stop(inherited.who, inherited.id).await.expect("it stops");
    let books = stand.assert_settled(account).await;
    assert_eq!(books.totals.spent, record.pricing.cost(7 * FPS));
    until_nothing_is_kept(&stand, account).await;
}

#[actix_rt::test]
async fn a_session_is_moved_to_the_frame_and_those_who_watch_are_told() {
    let told = Arc::new(Told::default());
    let setting = |name| Setting { announcer: Arc::clone(&told) as Arc<dyn Announcer>, ..Setting::shared(name) };
    let stand = Stand::with(setting("a")).await;
    let account = stand.account_with(Microcredits::from_credits(10)).await;
    let session = stand.session(account, CreateSession::default()).await;
    let mut events = stand.node.events(session.who, session.id).await.expect("it has events");
    let watcher = session.watch().await;
    let last = say(&session, 4.0).await;
    session.until("it has spoken a while", |record| record.units > FPS).await;

    let heirloom = stand.node.let_go(session.id).await.expect("it is let go");
    let proved = heirloom.proved;
    assert_eq!(session.record().await.units, proved);
    let books = stand.books(account).await;
    assert_eq!(books.totals.held, Microcredits::ZERO);
    assert_eq!(books.totals.spent, heirloom.record.pricing.cost(proved));
    let refused = stand.node.pause(session.who, session.id).await;
    assert!(matches!(refused, Err(NodeError::Moving)));

    let (heir, _dir) = stand.other(&setting("b")).await;
    heir.adopt(heirloom).await.expect("it is adopted");
    stand.node.forget_moved(session.id).await;
    assert_eq!(watcher.leave().await, proved);
    let mut last_event = None;
    while let Some(event) = events.next().await {
        last_event = Some(event.kind);
    }
    assert_eq!(last_event, Some(SessionEventKind::Moved { why: Inherited::Moved }));
    assert!(stand.node.hosted().is_empty());
    let room = stand.until_capacity(|room| room.sessions.used == 0).await;
    assert_eq!(room.speaking_slots_milli.reserved, 0);

    let inherited = Session { node: heir.clone(), ..session.clone() };
    let mut events = heir.events(inherited.who, inherited.id).await.expect("it has events");
    let there = inherited.watch().await;
    until_spoken(&mut events, last).await;
    assert_eq!(there.leave().await, 4 * FPS - proved);
    heir.stop(inherited.who, inherited.id).await.expect("it stops");
    assert_eq!(stand.assert_settled(account).await.totals.spent, inherited.record().await.pricing.cost(4 * FPS));
    assert_eq!(*told.0.lock(), [SessionChange::Started, SessionChange::Ended], "it began once");
    until_nothing_is_kept(&stand, account).await;
}

#[derive(Default)]
struct Told(Mutex<Vec<SessionChange>>);

#[async_trait::async_trait]
impl Announcer for Told {
    fn session(&self, change: SessionChange, _: SessionRecord) {
        self.0.lock().push(change);
    }

    async fn written(&self) {}
}

#[actix_rt::test]
async fn a_session_that_nobody_takes_is_taken_back_and_goes_on() {
    let (stand, account, session) = speaking().await;
    let mut events = stand.node.events(session.who, session.id).await.expect("it has events");
    let watcher = session.watch().await;
    let last = say(&session, 3.0).await;
    session.until("it has spoken a while", |record| record.units > FPS).await;
    let heirloom = stand.node.let_go(session.id).await.expect("it is let go");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(session.record().await.units, heirloom.proved, "it stands still");

    stand.node.take_back(session.id).await;
    until_spoken(&mut events, last).await;
    let record = session.until_state(SessionState::Idle).await;
    assert_eq!((record.units, record.epoch), (3 * FPS, 1));
    assert_eq!(watcher.leave().await, 3 * FPS);
    stand.node.stop(session.who, session.id).await.expect("it stops");
    assert_eq!(stand.assert_settled(account).await.totals.spent, record.pricing.cost(3 * FPS));
}

#[actix_rt::test]
async fn a_session_whose_heir_had_it_already_comes_back_at_a_later_epoch() {
    let (stand, account, session) = speaking().await;
    let watcher = session.watch().await;
    let last = say(&session, 2.0).await;
    session.until("it has spoken a while", |record| record.units > 10).await;
    let heirloom = stand.node.let_go(session.id).await.expect("it is let go");
    let (heir, _dir) = stand.other(&Setting::shared("b")).await;
    heir.adopt(heirloom).await.expect("it is adopted");
    // Its answer got lost.
    stand.node.take_back(session.id).await;
    drop(watcher);
    let record = session.record().await;
    assert_eq!((record.epoch, record.node.as_str()), (3, "a"));
    let mut events = stand.node.events(session.who, session.id).await.expect("it has events");
    let _watcher = session.watch().await;
    until_spoken(&mut events, last).await;
    heir.disown_all().await;
    assert!(heir.hosted().is_empty());
    assert_eq!(session.until_state(SessionState::Idle).await.units, 2 * FPS);
    stand.node.stop(session.who, session.id).await.expect("it stops");
    stand.assert_settled(account).await;
}

#[actix_rt::test]
async fn live_speech_is_to_be_sent_again_from_where_it_was() {
    let (stand, account, session) = speaking().await;
    let _watcher = session.watch().await;
    let feed = stand.node.live(session.who, session.id).await.expect("it listens");
    feed.push(&speech(3.0)).expect("there is room");
    session.until("it has spoken a while", |record| record.units > FPS).await;
    let heirloom = stand.node.let_go(session.id).await.expect("it is let go");
    let proved = heirloom.proved;
    let (heir, _dir) = stand.other(&Setting::shared("b")).await;
    heir.adopt(heirloom).await.expect("it is adopted");

    for _ in 0..2 {
        let mut events = heir.events(session.who, session.id).await.expect("it has events");
        assert!(matches!(events.next().await.expect("its state").kind, SessionEventKind::StateChanged { .. }));
        let resend = SessionEventKind::SpeechResend { utterance: feed.utterance(), resend_from_ms: proved * 40 };
        assert_eq!(events.next().await.expect("what to send").kind, resend);
    }
    // It waits for nobody.
    let inherited = Session { node: heir.clone(), ..session.clone() };
    let mut events = heir.events(session.who, session.id).await.expect("it has events");
    let _there = inherited.watch().await;
    let next = say(&inherited, 0.4).await;
    until_spoken(&mut events, next).await;
    inherited.until_state(SessionState::Idle).await;
    let mut events = heir.events(session.who, session.id).await.expect("it has events");
    events.next().await.expect("its state");
    assert!(tokio::time::timeout(Duration::from_millis(100), events.next()).await.is_err(), "somebody has spoken");
    until_nothing_is_kept(&stand, account).await;
}

#[actix_rt::test]
async fn what_people_hold_back_stays_held_back() {
    let (stand, _, session) = speaking().await;
    stand.node.pause(session.who, session.id).await.expect("it pauses");
    session.until_state(SessionState::Paused).await;
    say(&session, 1.0).await;
    let heirloom = stand.node.let_go(session.id).await.expect("it is let go");
    let (heir, _dir) = stand.other(&Setting::shared("b")).await;
    heir.adopt(heirloom).await.expect("it is adopted");
    let inherited = Session { node: heir.clone(), ..session.clone() };
    let _there = inherited.watch().await;
    let record = inherited.until_state(SessionState::Paused).await;
    assert!(record.pause_reasons.contains(&PauseReason::ByRequest));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(inherited.record().await.units, 0);
    heir.resume(session.who, session.id).await.expect("it resumes");
    inherited.until("all is spoken", |record| record.units == FPS && record.state == SessionState::Idle).await;
}

#[actix_rt::test]
async fn a_node_without_its_lease_settles_and_ends_nothing() {
    let (stand, account, session) = speaking().await;
    let mut events = stand.node.events(session.who, session.id).await.expect("it has events");
    let watcher = session.watch().await;
    say(&session, 5.0).await;
    session.until("it has spoken a while", |record| record.units > FPS).await;
    let spoken = cut_off(&session).await;
    let refused = stand.node.stop(session.who, session.id).await;
    assert!(matches!(refused, Err(NodeError::Moving)));
    let refused = stand.node.attach(session.who, session.id, OutletOptions::default()).await;
    assert!(matches!(refused, Err(NodeError::Moving)));
    // Claimed, but no heir has come to this session yet.
    stand.node.disown_all().await;
    let books = stand.books(account).await;
    assert_eq!((books.totals.held, books.open_sessions), (Microcredits::ZERO, 1));
    let mut last_event = None;
    while let Some(event) = events.next().await {
        last_event = Some(event.kind);
    }
    assert_eq!(last_event, Some(SessionEventKind::Moved { why: Inherited::NodeLost }));
    assert_seen(watcher.leave().await, spoken);

    let heirloom = only_left_by(&stand, &stand.node).await;
    let (heir, _dir) = stand.other(&Setting::shared("b")).await;
    assert_eq!(heir.adopt(heirloom).await.expect("it is adopted").units, spoken, "it had told all");
    assert!(!fenced(&stand.node));
    heir.stop(session.who, session.id).await.expect("it stops");
    stand.assert_settled(account).await;
    until_nothing_is_kept(&stand, account).await;
}

#[actix_rt::test]
async fn a_node_that_was_stopped_for_longer_than_a_session_may_idle_does_not_end_it() {
    let stand = Stand::with(Setting::shared("a")).await;
    let account = stand.account_with(Microcredits::from_credits(1)).await;
    let create = CreateSession { idle_timeout_s: Some(1), ..CreateSession::default() };
    let session = stand.session(account, create).await;
    session.until_state(SessionState::Idle).await;
    stand.node.tenure().end();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(session.record().await.state, SessionState::Idle);
    stand.node.tenure().extend_for_ever();
    let ended = session.until_state(SessionState::Ended).await;
    assert_eq!(ended.end_reason, Some(EndReason::IdleTimeout));
}

#[actix_rt::test]
async fn what_cannot_be_adopted_stays_for_others_or_is_given_up() {
    let (stand, account, session) = speaking().await;
    let watcher = session.watch().await;
    say(&session, 5.0).await;
    session.until("it has spoken a while", |record| record.units > FPS).await;
    stand.node.tenure().end();
    let heirloom = only_left_by(&stand, &stand.node).await;

    let mut small = Setting::shared("b");
    small.options.max_sessions = 0;
    let (small, _dir) = stand.other(&small).await;
    assert!(matches!(small.adopt(heirloom.clone()).await, Err(NodeError::Capacity { .. })));
    let (heir, _dir2) = stand.other(&Setting::shared("c")).await;
    stand.store.set_away(true);
    assert!(matches!(heir.adopt(heirloom.clone()).await, Err(NodeError::StoreUnreachable(_))));
    stand.store.set_away(false);
    let ended = small.give_up(heirloom.clone()).await.expect("it is given up");
    assert_eq!((ended.end_reason, ended.units), (Some(EndReason::NodeLost), heirloom.proved));
    let late = heir.adopt(heirloom).await;
    assert!(matches!(late, Err(NodeError::Ended { reason: EndReason::NodeLost })));
    stand.node.disown_all().await;
    drop(watcher);
    assert_eq!(stand.assert_settled(account).await.open_sessions, 0);
    let record = stand.store_record(&session).await;
    assert_eq!((record.state, record.credits_used), (SessionState::Ended, record.pricing.cost(ended.units)));
    until_nothing_is_kept(&stand, account).await;
}

#[actix_rt::test]
async fn a_lost_node_that_starts_again_does_not_end_what_goes_on_elsewhere() {
    let (stand, account, session) = speaking().await;
    let watcher = session.watch().await;
    say(&session, 5.0).await;
    session.until("it has spoken a while", |record| record.units > FPS).await;
    stand.node.tenure().end();
    let heirloom = only_left_by(&stand, &stand.node).await;
    let (heir, _dir) = stand.other(&Setting::shared("b")).await;
    heir.adopt(heirloom).await.expect("it is adopted");
    drop(watcher);
    let next = stand.restart(&Setting::shared("a")).await;
    assert!(next.hosted().is_empty());
    let inherited = Session { node: heir.clone(), ..session.clone() };
    let _there = inherited.watch().await;
    inherited.until("all is spoken", |record| record.units >= 5 * FPS).await;
    heir.stop(session.who, session.id).await.expect("it stops");
    stand.node.disown_all().await;
    stand.assert_settled(account).await;
}

#[actix_rt::test]
async fn a_node_that_starts_again_goes_on_with_what_it_left_where_it_is_told_to() {
    let (stand, account, session) = speaking().await;
    let watcher = session.watch().await;
    let last = say(&session, 4.0).await;
    session.until("it has spoken a while", |record| record.units > 2 * FPS).await;
    let spoken = cut_off(&session).await;
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    let mut setting = Setting::shared("a");
    setting.options.ends_orphans = false;
    let next = stand.restart(&setting).await;
    let mut left = next.left_behind();
    assert_eq!((left.len(), next.left_behind().len()), (1, 0));
    let record = next.adopt(left.remove(0)).await.expect("it is adopted");
    assert_eq!((record.units, record.epoch), (spoken, 2), "its file proves all");
    next.forget_former_runs().expect("the file goes");
    drop(watcher);
    let inherited = Session { node: next.clone(), ..session.clone() };
    let mut events = next.events(session.who, session.id).await.expect("it has events");
    let _there = inherited.watch().await;
    until_spoken(&mut events, last).await;
    next.stop(session.who, session.id).await.expect("it stops");
    stand.node.disown_all().await;
    assert_eq!(stand.assert_settled(account).await.totals.spent, record.pricing.cost(4 * FPS));
}

#[actix_rt::test]
async fn an_account_is_kept_only_so_much_speech_and_more_once_some_is_over() {
    let mut setting = Setting::shared("a");
    // Two seconds.
    setting.options.max_kept_speech_bytes_per_account = 2 * 96_000;
    let stand = Stand::with(setting).await;
    let account = stand.account_with(Microcredits::from_credits(10)).await;
    let (first, second) = (
        stand.session(account, CreateSession::default()).await,
        stand.session(account, CreateSession::default()).await,
    );
    say(&first, 2.0).await;
    say(&second, 1.0).await;
    assert_eq!(kept(&stand, account).await, 1, "the second is spoken, and not kept");
    assert!(stand.node.metrics().contains("footlight_speech_not_kept_total 1"));
    let other = stand.account_with(Microcredits::from_credits(10)).await;
    say(&stand.session(other, CreateSession::default()).await, 1.0).await;
    assert_eq!(kept(&stand, other).await, 1, "others have room of their own");

    stand.node.interrupt(first.who, first.id).await.expect("it is cut off");
    until_nothing_is_kept(&stand, account).await;
    for _ in 0..400 {
        say(&second, 1.0).await;
        if kept(&stand, account).await == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("what is over is counted as kept");
}

#[actix_rt::test]
async fn interrupts_and_replacements_leave_nothing_to_inherit() {
    let (stand, account, session) = speaking().await;
    let _watcher = session.watch().await;
    for _ in 0..3 {
        say(&session, 2.0).await;
    }
    stand.node.interrupt(session.who, session.id).await.expect("it is interrupted");
    until_nothing_is_kept(&stand, account).await;
    say(&session, 2.0).await;
    let audio = speech(1.0);
    let instead = footlight_actors::Speech { audio };
    stand.node.speak(session.who, session.id, instead, SpeakMode::Replace).await.expect("it is queued");
    session.until("the first one is gone", |record| record.units > 0).await;
    for _ in 0..200 {
        if kept(&stand, account).await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(kept(&stand, account).await, 1);
    stand.node.stop(session.who, session.id).await.expect("it stops");
    until_nothing_is_kept(&stand, account).await;
}

#[actix_rt::test]
async fn an_attempt_to_adopt_waits_for_the_one_before_it() {
    let (stand, _, session) = speaking().await;
    let watcher = session.watch().await;
    say(&session, 4.0).await;
    session.until("it has spoken a while", |record| record.units > FPS).await;
    let heirloom = stand.node.let_go(session.id).await.expect("it is let go");
    let (heir, _dir) = stand.other(&Setting::shared("b")).await;
    let (first, second) = tokio::join!(heir.adopt(heirloom.clone()), heir.adopt(heirloom));
    let (first, second) = (first.expect("it is adopted"), second.expect("and by the same node"));
    assert_eq!((first.epoch, second.epoch), (2, 2), "taken over once");
    stand.node.forget_moved(session.id).await;
    watcher.leave().await;
}

#[actix_rt::test]
async fn a_session_is_let_go_once_at_a_time() {
    let (stand, _, session) = speaking().await;
    let watcher = session.watch().await;
    say(&session, 4.0).await;
    session.until("it has spoken a while", |record| record.units > FPS).await;
    let heirloom = stand.node.let_go(session.id).await.expect("it is let go");
    assert!(matches!(stand.node.let_go(session.id).await, Err(NodeError::Moving)));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(session.record().await.units, heirloom.proved, "the second one brought it back");
    stand.node.take_back(session.id).await;
    session.until("it speaks on", |record| record.units > heirloom.proved).await;
    watcher.leave().await;
}

/// Goes on with `work` until the store lists something of the node, and then ends the node's tenure.
async fn until_its_lease_ends<T>(stand: &Stand, node: &Node, work: impl Future<Output = T>) -> T {
    let mut work = Box::pin(work);
    loop {
        if let std::task::Poll::Ready(done) = futures_util::poll!(work.as_mut()) {
            return done;
        }
        let owned = stand.store.list_owned(node.name(), node.boot()).await.expect("it lists");
        if !owned.is_empty() {
            node.tenure().end();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[actix_rt::test]
async fn a_session_that_is_written_down_when_the_lease_ends_is_no_session() {
    let stand = Stand::with(Setting::shared("a")).await;
    let account = stand.account_with(Microcredits::from_credits(1)).await;
    let create = stand.node.create_session(Caller::account(account), CreateSession::default());
    let created = until_its_lease_ends(&stand, &stand.node, create).await;
    assert!(matches!(created, Err(NodeError::Draining)), "{created:?}");
    for _ in 0..400 {
        let open = stand.books(account).await.open_sessions;
        if open == 0 && stand.store.list_owned("a", stand.node.boot()).await.expect("it lists").is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("something is left of it");
}

#[actix_rt::test]
async fn a_session_whose_heirs_lease_ends_meanwhile_is_offered_to_another() {
    let (stand, _account, session) = speaking().await;
    cut_off(&session).await;
    let heirloom = only_left_by(&stand, &stand.node).await;
    let (first, _first_dir) = stand.other(&Setting::shared("b")).await;
    let adopted = until_its_lease_ends(&stand, &first, first.adopt(heirloom)).await;
    assert!(matches!(adopted, Err(NodeError::Internal { .. })), "{adopted:?}");
    assert!(first.hosted().is_empty());
    let (second, _second_dir) = stand.other(&Setting::shared("c")).await;
    let record = second.adopt(only_left_by(&stand, &first).await).await.expect("it goes on");
    assert_eq!((record.id, record.epoch), (session.id, 3));
}
