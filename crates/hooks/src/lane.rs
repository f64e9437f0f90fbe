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
            if self.hooks.is_stopping() {
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
        let endpoint = hooks.book.get(self.account, self.hook).await?;
        let ids: Vec<String> = events.iter().map(|event| format!("{}/{event}", self.hook.0.simple())).collect();
        let deliveries = hooks.store.get_records(self.owner(), DELIVERIES, &ids).await?;
        let mut ops = Vec::new();
        let mut page = Page::Done;
        for (id, record) in ids.into_iter().zip(deliveries) {
            let event = id.rsplit('/').next().unwrap_or_default();
            let pending = RecordKey::new(PENDING, format!("{}/{event}", self.key().id));
            let over = RecordOp::Delete { key: pending, expected: Expected::Any };
            // Its log was removed: there is nothing to send.
            let Some(record) = record else {
                ops.push(over);
                continue;
            };
            let mut delivery: Delivery = read(&record)?;
            delivery.state = self.attempt(endpoint.as_ref(), &mut delivery).await;
            let due = (delivery.state != DeliveryState::Pending).then(|| self.removal());
            ops.push(put(RecordKey::new(DELIVERIES, id), Expected::Any, due, &delivery).1);
            if delivery.state == DeliveryState::Pending {
                page = Page::Failed;
                break;
            }
            ops.push(over);
            if self.ours_until.saturating_duration_since(Instant::now()) < hooks.options.timeout * 2 {
                // The rest is read again, with time enough.
                break;
            }
        }
        self.write(ops).await?;
        Ok(page)
    }

    /// One attempt, unless there is nobody to send to or it was tried for long enough.
    async fn attempt(&self, endpoint: Option<&Endpoint>, delivery: &mut Delivery) -> DeliveryState {
        let hooks = &self.hooks;
        let Some(endpoint) = endpoint.filter(|endpoint| endpoint.disabled.is_none()) else {
            hooks.metrics.given_up.inc();
            return DeliveryState::Failed;
        };
        let now = hooks.now();
        let tried_until = delivery.since.plus_ms(ms(hooks.options.paced(hooks.options.give_up_after)));
        if now > tried_until && delivery.attempt_count > 0 {
            hooks.metrics.given_up.inc();
            return DeliveryState::Failed;
        }
        let (id, body) = (delivery.event.to_string(), delivery.body.clone());
        let sent = hooks.sender.send(&endpoint.url, &endpoint.secret, &id, now.0.div_euclid(1_000), body).await;
        hooks.metrics.attempted(&sent);
        delivery.note(now, &sent);
        if sent.is_success() {
            hooks.receivers.succeeded(self.hook);
            self.endpoint_works(endpoint).await;
            return DeliveryState::Delivered;
        }
        hooks.receivers.failed(self.hook, &hooks.options);
        self.endpoint_fails(endpoint, now, sent.is_gone()).await;
        if sent.is_gone() { DeliveryState::Failed } else { DeliveryState::Pending }
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

    async fn write(&self, ops: Vec<RecordOp>) -> Result<(), StoreError> {
        let batch = RecordBatch { owner: self.owner(), ops };
        let mut tries = 0;
        loop {
            match write_surely(&*self.hooks.store, batch.clone()).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_transport() && tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
            tokio::time::sleep(TRY_AFTER).await;
        }
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
