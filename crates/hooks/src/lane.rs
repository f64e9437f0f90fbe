//! Delivering one stream to one endpoint: one event after the other, until nothing is pending or one fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use footlight_ledger::{AccountId, HookId, Timestamp};
use footlight_store::records::{get_record, write_surely};
use footlight_store::{
    Due, Expected, Owner, RecordBatch, RecordKey, RecordOp, RecordOutcome, RecordRange, RecordVersion, StoreError,
};

use crate::Inner;
use crate::documents::{
    DELIVERIES, Delivery, DeliveryState, Endpoint, Lane, PENDING, REMOVAL, lane_key, lane_queue, put, read,
};
use crate::options::ms;

/// Events read at once.
const PAGE: usize = 32;

/// How often what became of a page is written while the store cannot be reached. After that the events are sent again,
/// under the same ids.
const TRIES_MAX: u32 = 10;

/// The pause between those tries.
const TRY_AFTER: Duration = Duration::from_millis(300);

/// One claimed stream.
pub(crate) struct Delivering {
    hooks: Arc<Inner>,
    account: AccountId,
    hook: HookId,
    stream: String,
    /// Failed attempts since the last success.
    attempts: u32,
    /// Our name in the stream's record while it is ours.
    holder: u128,
    version: RecordVersion,
    /// Until when it is ours.
    ours_until: Instant,
}

/// What a page came to.
enum Page {
    /// All of it is over.
    Done,
    /// The first event that is not over failed.
    Failed,
}

/// How an attempt went.
struct Attempted {
    state: DeliveryState,
    /// The receiver wants nothing more, ever.
    is_gone: bool,
}

impl Attempted {
    const fn of(state: DeliveryState) -> Self {
        Self { state, is_gone: false }
    }
}

impl Delivering {
    pub(crate) fn new(
        hooks: Arc<Inner>,
        account: AccountId,
        hook: HookId,
        stream: String,
        lane: Lane,
        version: RecordVersion,
    ) -> Self {
        let ours_until = Instant::now() + hooks.options.lease();
        let Lane { attempts, holder } = lane;
        Self { hooks, account, hook, stream, attempts, holder, version, ours_until }
    }

    pub(crate) const fn hooks(&self) -> &Arc<Inner> {
        &self.hooks
    }

    /// Delivers what is pending. When the store cannot be reached the claim ends by itself, and somebody goes on.
    pub(crate) async fn run(mut self) {
        if let Err(error) = self.try_run().await {
            tracing::debug!(%error, hook = %self.hook, "a stream of webhooks is left for later");
        }
    }

    async fn try_run(&mut self) -> Result<(), StoreError> {
        loop {
            let Some(events) = self.pending().await? else { return Ok(()) };
            match self.deliver(events).await? {
                Page::Done => self.attempts = 0,
                Page::Failed => {
                    self.attempts = self.attempts.saturating_add(1);
                    let wait = self.hooks.options.retry_after(self.attempts, rand::random());
                    self.set_due(self.hooks.now().plus_ms(ms(wait)), 0).await?;
                    return Ok(());
                }
            }
            // A slow receiver must not keep its turn while others wait for one.
            if self.hooks.is_stopping() || self.hooks.courier.is_full() {
                self.set_due(self.hooks.now(), 0).await?;
                return Ok(());
            }
            if self.ours_until.saturating_duration_since(Instant::now()) < self.hooks.options.lease() / 2
                && !self.renew().await?
            {
                return Ok(());
            }
        }
    }

    /// The next events; `None` when there are none and the stream is given up, or when it is not ours any more.
    async fn pending(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        let prefix = format!("{}/", self.key().id);
        loop {
            let range = RecordRange { prefix: prefix.clone(), limit: PAGE, ..RecordRange::default() };
            let records = self.hooks.store.list_records(self.owner(), PENDING, range).await?;
            if !records.is_empty() {
                let event_of = |id: &str| id.rsplit('/').next().unwrap_or_default().to_owned();
                return Ok(Some(records.iter().map(|record| event_of(&record.id)).collect()));
            }
            let gone = RecordOp::Delete { key: self.key(), expected: Expected::Version(self.version) };
            let batch = RecordBatch { owner: self.owner(), ops: vec![gone] };
            if write_surely(&*self.hooks.store, batch).await? == RecordOutcome::Written || !self.look_again().await? {
                return Ok(None);
            }
        }
    }

    /// Sends events in their order, and writes down what became of them.
    async fn deliver(&mut self, events: Vec<String>) -> Result<Page, StoreError> {
        let hooks = Arc::clone(&self.hooks);
        let is_callable = |endpoint: &Endpoint| endpoint.disabled.is_none();
        let mut endpoint = hooks.book.get(self.account, self.hook).await?.filter(is_callable);
        if endpoint.is_none() {
            // What is given up is given up for good, so not on the word of what was read a while ago.
            endpoint = hooks.book.get_surely(self.account, self.hook).await?.filter(is_callable);
        }
        let ids: Vec<String> = events.iter().map(|event| format!("{}/{event}", self.hook.0.simple())).collect();
        let deliveries = hooks.store.get_records(self.owner(), DELIVERIES, &ids).await?;
        let mut over = Vec::new();
        let mut page = Page::Done;
        for (id, record) in ids.into_iter().zip(deliveries) {
            let event = id.rsplit('/').next().unwrap_or_default();
            let pending = RecordKey::new(PENDING, format!("{}/{event}", self.key().id));
            let gone = RecordOp::Delete { key: pending, expected: Expected::Any };
            // Its log was removed: there is nothing to send.
            let Some(record) = record else {
                over.push(vec![gone]);
                continue;
            };
            let key = RecordKey::new(DELIVERIES, id);
            let expected = Expected::Version(record.version);
            let mut delivery: Delivery = match read(&record) {
                Ok(delivery) => delivery,
                Err(error) => {
                    tracing::error!(%error, hook = %self.hook, "a delivery cannot be read and is given up");
                    hooks.metrics.given_up.inc();
                    over.push(vec![gone, RecordOp::Delete { key, expected }]);
                    continue;
                }
            };
            let attempted = self.attempt(endpoint.as_ref(), &mut delivery).await;
            delivery.state = attempted.state;
            let due = (delivery.state != DeliveryState::Pending).then(|| self.removal());
            let mut ops = vec![put(key, expected, due, &delivery).1];
            if delivery.state == DeliveryState::Pending {
                over.push(ops);
                page = Page::Failed;
                break;
            }
            ops.push(gone);
            over.push(ops);
            let time_left = self.ours_until.saturating_duration_since(Instant::now());
            if attempted.is_gone || time_left < hooks.options.timeout * 2 {
                // The rest is read again: with time enough, and with the endpoint as it is now.
                break;
            }
        }
        self.write(over).await?;
        Ok(page)
    }

    /// One attempt, unless there is nobody to send to or it was tried for long enough.
    async fn attempt(&self, endpoint: Option<&Endpoint>, delivery: &mut Delivery) -> Attempted {
        let hooks = &self.hooks;
        let Some(endpoint) = endpoint else {
            hooks.metrics.given_up.inc();
            return Attempted::of(DeliveryState::Failed);
        };
        let now = hooks.now();
        let tried_until = delivery.since.plus_ms(ms(hooks.options.paced(hooks.options.give_up_after)));
        if now > tried_until && delivery.attempt_count > 0 {
            hooks.metrics.given_up.inc();
            return Attempted::of(DeliveryState::Failed);
        }
        let (id, body) = (delivery.event.to_string(), delivery.body.clone());
        let sent = hooks.sender.send(&endpoint.url, &endpoint.secret, &id, now.0.div_euclid(1_000), body).await;
        hooks.metrics.attempted(&sent);
        delivery.note(now, &sent);
        if sent.is_success() {
            hooks.receivers.succeeded(self.hook);
            self.endpoint_works(endpoint).await;
            return Attempted::of(DeliveryState::Delivered);
        }
        hooks.receivers.failed(self.hook, &hooks.options);
        self.endpoint_fails(endpoint, now, sent.is_gone()).await;
        if sent.is_gone() {
            hooks.metrics.given_up.inc();
            return Attempted { state: DeliveryState::Failed, is_gone: true };
        }
        Attempted::of(DeliveryState::Pending)
    }

    async fn endpoint_works(&self, endpoint: &Endpoint) {
        if endpoint.failing_since.is_some() {
            let change = |endpoint: &mut Endpoint| endpoint.failing_since.take().is_some();
            self.note(self.hooks.book.update(self.account, self.hook, change).await);
        }
    }

    /// Since when it fails is kept with it; one that fails for days, or says that it is gone, is called no more.
    async fn endpoint_fails(&self, endpoint: &Endpoint, now: Timestamp, is_gone: bool) {
        let options = &self.hooks.options;
        let too_long = ms(options.paced(options.disable_after));
        let is_too_long = |since: Timestamp| now.0 - since.0 >= too_long;
        let is_news = endpoint.failing_since.is_none() || endpoint.failing_since.is_some_and(is_too_long) || is_gone;
        if !is_news {
            return;
        }
        let change = |endpoint: &mut Endpoint| {
            if endpoint.disabled.is_some() {
                return false;
            }
            let since = *endpoint.failing_since.get_or_insert(now);
            if is_gone {
                endpoint.disabled = Some((now, "it answered 410 Gone".to_owned()));
            } else if is_too_long(since) {
                endpoint.disabled = Some((now, "it failed for too long".to_owned()));
            }
            true
        };
        self.note(self.hooks.book.update(self.account, self.hook, change).await);
    }

    fn note(&self, updated: Result<Option<Endpoint>, StoreError>) {
        if let Err(error) = updated {
            // The next attempt tries again.
            tracing::debug!(%error, hook = %self.hook, "how an endpoint does could not be written");
        }
    }

    /// Writes down what became of deliveries, of each by itself: one that was changed meanwhile (it was replayed, or taken
    /// back because far too many waited) stays as it is now.
    async fn write(&self, over: Vec<Vec<RecordOp>>) -> Result<(), StoreError> {
        let owner = self.owner();
        let mut batches: Vec<RecordBatch> = over.into_iter().map(|ops| RecordBatch { owner, ops }).collect();
        for tries in 0..=TRIES_MAX {
            if tries > 0 {
                tokio::time::sleep(TRY_AFTER).await;
            }
            let outcomes = self.hooks.store.write_records(batches.clone()).await;
            let mut left = Vec::new();
            for (batch, outcome) in batches.into_iter().zip(outcomes) {
                match outcome {
                    Ok(_) => {}
                    Err(error) if error.is_transport() && tries < TRIES_MAX => left.push(batch),
                    Err(error) => return Err(error),
                }
            }
            if left.is_empty() {
                return Ok(());
            }
            batches = left;
        }
        Ok(())
    }

    /// Says when somebody should look at the stream, and whose it is until then; answers whether it was ours to say.
    /// Whoever appends to it changes its version, and nothing else.
    async fn set_due(&mut self, at: Timestamp, holder: u128) -> Result<bool, StoreError> {
        for _ in 0..TRIES_MAX {
            let due = Some(Due { queue: lane_queue(self.hook), at });
            let lane = Lane { attempts: self.attempts, holder };
            let (next, op) = put(self.key(), Expected::Version(self.version), due, &lane);
            let batch = RecordBatch { owner: self.owner(), ops: vec![op] };
            if write_surely(&*self.hooks.store, batch).await? == RecordOutcome::Written {
                self.version = next;
                return Ok(true);
            }
            if !self.look_again().await? {
                return Ok(false);
            }
        }
        Ok(false)
    }

    async fn renew(&mut self) -> Result<bool, StoreError> {
        let lease = self.hooks.options.lease();
        let until = Instant::now() + lease;
        let is_ours = self.set_due(self.hooks.now().plus_ms(ms(lease)), self.holder).await?;
        self.ours_until = until;
        Ok(is_ours)
    }

    /// Reads the stream's version again; answers whether it is still ours.
    async fn look_again(&mut self) -> Result<bool, StoreError> {
        let Some(record) = get_record(&*self.hooks.store, self.owner(), &self.key()).await? else { return Ok(false) };
        let lane: Lane = read(&record)?;
        self.version = record.version;
        Ok(lane.holder == self.holder)
    }

    fn removal(&self) -> Due {
        Due { queue: REMOVAL.to_owned(), at: self.hooks.now().plus_ms(ms(self.hooks.options.kept)) }
    }

    fn key(&self) -> RecordKey {
        lane_key(self.hook, &self.stream)
    }

    const fn owner(&self) -> Owner {
        Owner::Account(self.account)
    }
}
