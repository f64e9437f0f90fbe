//! Sessions that speak and accounts that are topped up while something happens to the store, and what must be true after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use footlight_ledger::{
    AccountId, Ask, BootId, Command, EndReason, GrantId, GrantKind, GrantName, Limits, Microcredits, Outcome, Pricing,
    Product, Rounding, SessionId, Terms, Timestamp,
};
use footlight_store::{LedgerDesk, Store, StoreError, audit_account};
use footlight_store_redis::{RedisOptions, RedisStore};
use tokio::task::JoinHandle;
use uuid::Uuid;

pub(crate) const PRICING: Pricing =
    Pricing { rate: Microcredits(2_000_000), units_per_minute: 1_500, rounding: Rounding::Exact };

pub(crate) const FIRST: Microcredits = Microcredits(1_000_000_000);
const TOP_UP: Microcredits = Microcredits(1_000);

/// Between two heartbeats of a session, and between two top-ups of an account.
const BEAT: Duration = Duration::from_millis(20);
const PAY: Duration = Duration::from_millis(60);

/// Between two tries after the store failed.
const AGAIN: Duration = Duration::from_millis(50);

pub(crate) fn is_slow() -> bool {
    std::env::var_os("FOOTLIGHT_SLOW_TESTS").is_some()
}

pub(crate) fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    Timestamp(i64::try_from(since_epoch.as_millis()).expect("soon enough"))
}

pub(crate) fn desk_on(store: Arc<dyn Store>) -> LedgerDesk {
    LedgerDesk::new(store, Terms::default(), Arc::new(now), Arc::new(|| Uuid::now_v7().as_u128()))
}

pub(crate) async fn desk_at(address: &str, options: &RedisOptions) -> LedgerDesk {
    let store = RedisStore::connect(address, options.clone()).await.expect("connects");
    desk_on(Arc::new(store))
}

pub(crate) fn top_up(name: String, amount: Microcredits) -> Command {
    let (id, name) = (GrantId(Uuid::now_v7()), GrantName(name));
    Command::Grant { id, name, kind: GrantKind::TopUp, amount, expires_at: None }
}

/// One account with one session that speaks.
pub(crate) struct Player {
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
    /// Units that were reported, and the number of that report.
    units: AtomicU64,
    number: AtomicU64,
    /// Top-ups that were acknowledged.
    paid: AtomicU64,
}

/// Two nodes' desks on one store: sessions speak through the one, top-ups come through the other.
pub(crate) struct Load {
    pub(crate) meter: LedgerDesk,
    pub(crate) till: LedgerDesk,
    pub(crate) players: Vec<Arc<Player>>,
    stopping: Arc<AtomicBool>,
    longest: Arc<[AtomicU64; 2]>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) async fn start(address: &str, options: &RedisOptions, players: usize) -> Self {
        let (meter, till) = (desk_at(address, options).await, desk_at(address, options).await);
        let mut load = Self {
            meter,
            till,
            players: Vec::new(),
            stopping: Arc::default(),
            longest: Arc::default(),
            tasks: Vec::new(),
        };
        for _ in 0..players {
            let player = Arc::new(Player::enter(&load.meter).await);
            load.players.push(Arc::clone(&player));
            load.tasks.push(tokio::spawn(speak(load.meter.clone(), Arc::clone(&player), load.beat(0))));
            load.tasks.push(tokio::spawn(pay(load.till.clone(), player, load.beat(1))));
        }
        load
    }

    fn beat(&self, which: usize) -> Beat {
        Beat { stopping: Arc::clone(&self.stopping), longest: Arc::clone(&self.longest), which }
    }

    /// Top-ups that were acknowledged so far.
    pub(crate) fn paid(&self) -> u64 {
        self.players.iter().map(|player| player.paid.load(Relaxed)).sum()
    }

    /// Units that were reported so far.
    pub(crate) fn units(&self) -> u64 {
        self.players.iter().map(|player| player.units.load(Relaxed)).sum()
    }

    /// Waits until every session has reported, and every account was topped up, some times more.
    pub(crate) async fn goes_on(&self, times: u64) {
        let count = |player: &Player| player.number.load(Relaxed).min(player.paid.load(Relaxed));
        let before: Vec<u64> = self.players.iter().map(|player| count(player)).collect();
        let started = Instant::now();
        while self.players.iter().zip(&before).any(|(player, before)| count(player) < before + times) {
            assert!(started.elapsed() < Duration::from_secs(60), "the load stands still");
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Ends all sessions and looks at every account: charged for what was reported and no more, every acknowledged top-up
    /// there once, the books balanced. Tells what it took.
    pub(crate) async fn finish(self, what: &str) {
        self.stopping.store(true, Relaxed);
        for task in self.tasks {
            task.await.expect("speaks and pays to the end");
        }
        let (mut beats, mut paid) = (0, 0);
        for player in &self.players {
            player.leave(&self.meter).await;
            beats += player.number.load(Relaxed);
            paid += player.paid.load(Relaxed);
        }
        let [meter, till] = [self.meter.figures(), self.till.figures()];
        let [beat, pay] = [0, 1].map(|which| self.longest[which].load(Relaxed));
        eprintln!(
            "{what}: {} accounts, {beats} heartbeats, {paid} top-ups; the longest wait {beat} ms for a heartbeat, {pay} ms \
             for a top-up; conflicts {}, unknown {}, found written {}, tried again by callers {}",
            self.players.len(),
            meter.conflicts + till.conflicts,
            meter.unknown + till.unknown,
            meter.recovered + till.recovered,
            meter.failures + till.failures,
        );
        assert_eq!(meter.sum_rule_failures + till.sum_rule_failures, 0);
    }
}

impl Player {
    /// A new account with a session that speaks.
    pub(crate) async fn enter(desk: &LedgerDesk) -> Self {
        let (account, session) = (AccountId(Uuid::now_v7()), SessionId(Uuid::now_v7()));
        desk.open_account(account, Limits::default()).await.expect("opens");
        desk.submit(account, top_up("first".to_owned(), FIRST)).await.expect("grants");
        let begin = Command::BeginSession {
            session,
            product: Product::EssenceCloud,
            pricing: PRICING,
            secret: None,
            owner: BootId(Uuid::nil()),
        };
        assert_eq!(desk.submit(account, begin).await, Ok(Outcome::Begun { epoch: 1 }));
        Self { account, session, units: AtomicU64::new(0), number: AtomicU64::new(0), paid: AtomicU64::new(0) }
    }

    /// Reports a few more units.
    pub(crate) async fn beat(&self, desk: &LedgerDesk, units: u64) -> Result<(), StoreError> {
        let (number, units) = (self.number.load(Relaxed) + 1, self.units.load(Relaxed) + units);
        let beat = Command::Heartbeat { session: self.session, epoch: 1, number, units, ask: Ask::Slice };
        let outcome = desk.submit(self.account, beat).await?;
        assert!(matches!(outcome, Outcome::Heartbeat(_)), "{outcome:?}");
        self.number.store(number, Relaxed);
        self.units.store(units, Relaxed);
        Ok(())
    }

    /// Pays once.
    pub(crate) async fn pay(&self, desk: &LedgerDesk) -> Result<(), StoreError> {
        let number = self.paid.load(Relaxed);
        let outcome = desk.submit(self.account, top_up(format!("top-up {number}"), TOP_UP)).await?;
        assert!(matches!(outcome, Outcome::Granted { .. }), "{outcome:?}");
        self.paid.store(number + 1, Relaxed);
        Ok(())
    }

    /// Ends the session; charged once for what was reported, and every acknowledged top-up is there once.
    pub(crate) async fn leave(&self, desk: &LedgerDesk) {
        let units = self.units.load(Relaxed);
        let number = self.number.load(Relaxed) + 1;
        let end = Command::EndSession { session: self.session, epoch: 1, number, units, reason: EndReason::Stopped };
        let outcome = desk.submit(self.account, end).await.expect("ends");
        assert!(matches!(outcome, Outcome::Ended(answer) if answer.charged == PRICING.cost(units)), "{outcome:?}");
        let audit = audit_account(&**desk.store(), self.account).await.expect("audits").expect("is there");
        assert_eq!(audit.differences, Vec::<String>::new());
        assert_eq!(audit.totals.spent, PRICING.cost(units), "{} units", units);
        let paid = i64::try_from(self.paid.load(Relaxed)).expect("not so many");
        assert_eq!(audit.totals.granted, Microcredits(FIRST.0 + paid * TOP_UP.0), "{paid} top-ups were acknowledged");
    }
}

/// The pace of one task, and the longest that a call took with all its tries.
struct Beat {
    stopping: Arc<AtomicBool>,
    longest: Arc<[AtomicU64; 2]>,
    which: usize,
}

impl Beat {
    async fn keep<F: Future<Output = Result<(), StoreError>>>(&self, pause: Duration, call: impl Fn() -> F) {
        while !self.stopping.load(Relaxed) {
            let started = Instant::now();
            // What has begun is brought to its end: an acknowledgement that never came leaves open whether it is there.
            while let Err(error) = call().await {
                let passes = error.is_transport() || matches!(error, StoreError::Contended { .. });
                assert!(passes, "{error}");
                assert!(started.elapsed() < Duration::from_secs(60), "still {error}");
                tokio::time::sleep(AGAIN).await;
            }
            self.longest[self.which].fetch_max(started.elapsed().as_millis() as u64, Relaxed);
            tokio::time::sleep(pause).await;
        }
    }
}

async fn speak(desk: LedgerDesk, player: Arc<Player>, beat: Beat) {
    beat.keep(BEAT, || player.beat(&desk, 1)).await;
}

async fn pay(desk: LedgerDesk, player: Arc<Player>, beat: Beat) {
    beat.keep(PAY, || player.pay(&desk)).await;
}
