//! A node on a store in memory and a stage that draws nothing, and what tests ask of it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use footlight_actors::{
    Announcer, Caller, Capacity, CreateSession, Nobody, Node, NodeOptions, NodeParts, SpeakingSlots, Speech,
};
use footlight_avatar::bundle::Catalogue;
use footlight_ledger::{
    Account, AccountId, GrantKind, GrantName, Limits, Microcredits, RateCard, SessionId, Terms, Timestamp,
};
use footlight_session::{SessionRecord, SessionState};
use footlight_stage::{Outlet, OutletOptions, RendererKind, SpeakMode, Stage, StageOptions};
use footlight_store::faulty::{Faults, FaultyStore};
use footlight_store::{LedgerDesk, SqliteStore, Store};
use footlight_wardrobe::{Wardrobe, WardrobeOptions, WardrobeParts};

/// One credit is 30 s of an essence session.
pub(crate) const TENTH: Microcredits = Microcredits(100_000);

/// A node with its own store and stage.
pub(crate) struct Stand {
    pub(crate) node: Node,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) data_dir: Arc<tempfile::TempDir>,
}

/// How a stand differs from the ordinary.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) terms: Terms,
    pub(crate) options: NodeOptions,
    pub(crate) announcer: Arc<dyn Announcer>,
}

impl Setting {
    /// A node that shares its store with others.
    pub(crate) fn shared(name: &str) -> Self {
        let setting = Self::default();
        let options = NodeOptions { name: name.to_owned(), is_shared: Some(true), ..setting.options };
        Self { options, ..setting }
    }
}

impl Default for Setting {
    fn default() -> Self {
        let options = NodeOptions {
            speaking_slots: SpeakingSlots::Fixed(200),
            recovery_patience: Duration::from_secs(5),
            ..NodeOptions::default()
        };
        Self { terms: Terms::default(), options, announcer: Arc::new(Nobody) }
    }
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    Timestamp(i64::try_from(since.as_millis()).expect("milliseconds fit"))
}

impl Stand {
    pub(crate) async fn start() -> Self {
        Self::with(Setting::default()).await
    }

    pub(crate) async fn with(setting: Setting) -> Self {
        let inner: Arc<dyn Store> = Arc::new(SqliteStore::in_memory().expect("a store in memory"));
        let none = Faults { seed: 1, before: 0, after: 0, instead: 0, late: 0, load: 0 };
        let store = Arc::new(FaultyStore::new(inner, none));
        let data_dir = Arc::new(tempfile::tempdir().expect("a directory"));
        let node = start_node(&store, data_dir.path(), &setting).await;
        Self { node, store, data_dir }
    }

    /// Another run of the same node, as after a crash of the first.
    pub(crate) async fn restart(&self, setting: &Setting) -> Node {
        start_node(&self.store, self.data_dir.path(), setting).await
    }

    /// Another node on the same store.
    pub(crate) async fn other(&self, setting: &Setting) -> (Node, tempfile::TempDir) {
        let data_dir = tempfile::tempdir().expect("a directory");
        (start_node(&self.store, data_dir.path(), setting).await, data_dir)
    }

    pub(crate) async fn account_with(&self, amount: Microcredits) -> AccountId {
        let limits = Limits { debt: Microcredits::from_credits(10), overage: Microcredits::ZERO };
        let account = self.node.open_account(None, limits).await.expect("an account").id;
        self.top_up(account, "first", amount).await;
        account
    }

    pub(crate) async fn top_up(&self, account: AccountId, name: &str, amount: Microcredits) {
        let name = GrantName(name.to_owned());
        self.node.grant(account, name, GrantKind::TopUp, amount, None).await.expect("a grant");
    }

    pub(crate) async fn books(&self, account: AccountId) -> Account {
        self.node.account(account).await.expect("the account")
    }

    pub(crate) async fn session(&self, account: AccountId, create: CreateSession) -> Session {
        let who = Caller::account(account);
        let record = self.node.create_session(who, create).await.expect("a session");
        Session { node: self.node.clone(), who, id: record.id }
    }

    /// Room is counted by an actor of its own, so it shows a moment later.
    pub(crate) async fn until_capacity(&self, is_so: impl Fn(&Capacity) -> bool) -> Capacity {
        for _ in 0..400 {
            let capacity = self.node.capacity();
            if is_so(&capacity) {
                return capacity;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the room is {:?}", self.node.capacity());
    }

    /// A session's record as the store has it.
    pub(crate) async fn store_record(&self, session: &Session) -> SessionRecord {
        use footlight_store::SessionDirectory;
        self.store.get_session(session.id).await.expect("the store answers").expect("it has the session")
    }

    /// Everything that was granted is spent or available, and nothing is held.
    pub(crate) async fn assert_settled(&self, account: AccountId) -> Account {
        let books = self.books(account).await;
        let totals = &books.totals;
        assert_eq!(totals.held, Microcredits::ZERO, "nothing is held");
        assert_eq!(
            totals.granted.0 + totals.debt.0,
            totals.available.0 + totals.spent.0 + totals.expired.0 + totals.voided.0
        );
        assert!(totals.available.0 >= 0);
        books
    }
}

async fn start_node(store: &Arc<FaultyStore>, data_dir: &Path, setting: &Setting) -> Node {
    let store: Arc<dyn Store> = Arc::clone(store) as Arc<dyn Store>;
    let desk = LedgerDesk::new(Arc::clone(&store), setting.terms, Arc::new(now), Arc::new(rand::random));
    let stage = StageOptions { workers: 1, renderer: RendererKind::Null, ..StageOptions::default() };
    let wardrobe = Wardrobe::start(WardrobeParts {
        store: Arc::clone(&store),
        shared: Catalogue::default(),
        clock: Arc::new(now),
        options: WardrobeOptions::default(),
    });
    let parts = NodeParts {
        store,
        wardrobe,
        desk,
        stage: Arc::new(Stage::start(stage).expect("a stage")),
        rate_card: RateCard::default(),
        terms: setting.terms,
        options: setting.options.clone(),
        data_dir: data_dir.to_owned(),
        announcer: Arc::clone(&setting.announcer),
        registry: prometheus::Registry::new(),
        clock: Arc::new(now),
    };
    Node::start(parts).await.expect("a node")
}

/// One session, as its owner sees it.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) node: Node,
    pub(crate) who: Caller,
    pub(crate) id: SessionId,
}

impl Session {
    pub(crate) async fn record(&self) -> SessionRecord {
        self.node.session(self.who, self.id).await.expect("the session")
    }

    pub(crate) async fn speak(&self, seconds: f64) {
        let audio: Arc<[i16]> = speech(seconds);
        self.node.speak(self.who, self.id, Speech { audio }, SpeakMode::Append).await.expect("it is queued");
    }

    /// Attaches a reader that takes everything, and answers its count of active video units when it ends.
    pub(crate) async fn watch(&self) -> Watcher {
        let options = OutletOptions::default();
        let mut outlet: Outlet = self.node.attach(self.who, self.id, options).await.expect("an outlet");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let mut active = 0;
            let mut stopped = stopped;
            loop {
                tokio::select! {
                    unit = outlet.next() => match unit {
                        Some(footlight_stage::Unit::Video(unit)) => active += u64::from(unit.active),
                        Some(footlight_stage::Unit::Audio(_)) => {}
                        None => return active,
                    },
                    _ = &mut stopped => return active,
                }
            }
        });
        Watcher { task, stop: Some(stop) }
    }

    /// Waits until the session is as `is_so` says.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&SessionRecord) -> bool) -> SessionRecord {
        self.within(Duration::from_secs(20), what, is_so).await
    }

    pub(crate) async fn within(
        &self,
        patience: Duration,
        what: &str,
        is_so: impl Fn(&SessionRecord) -> bool,
    ) -> SessionRecord {
        let until = Instant::now() + patience;
        loop {
            let record = self.record().await;
            if is_so(&record) {
                return record;
            }
            assert!(Instant::now() < until, "{what} did not happen within {patience:?}: {record:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn until_state(&self, state: SessionState) -> SessionRecord {
        self.until(&format!("{state:?}"), |record| record.state == state).await
    }
}

/// Somebody who watches until told to stop.
pub(crate) struct Watcher {
    task: tokio::task::JoinHandle<u64>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Watcher {
    /// Goes away, and says how many active frames it saw.
    pub(crate) async fn leave(mut self) -> u64 {
        drop(self.stop.take());
        self.task.await.expect("the watcher only reads")
    }
}

/// A tone that rises and falls: speech enough for a renderer that draws nothing.
pub(crate) fn speech(seconds: f64) -> Arc<[i16]> {
    let samples = (seconds * 48_000.0).round() as usize;
    (0..samples).map(|at| ((at as f64 * 0.02).sin() * (at as f64 * 0.000_3).sin() * 9_000.0) as i16).collect()
}
