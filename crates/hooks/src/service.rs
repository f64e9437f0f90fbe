//! What accounts ask of the hooks: endpoints, logs, replays, alerts.

use std::collections::BTreeSet;

use footlight_ledger::{AccountId, EventId, HookId, Touched};
use footlight_store::records::{get_record, write_surely};
use footlight_store::{Expected, Owner, RecordBatch, RecordKey, RecordOp, RecordOutcome, RecordRange, StoreError};
use uuid::Uuid;

use crate::documents::{
    ALERTS, Alerts, DELIVERIES, Delivery, DeliveryState, Endpoint, HOOKS, HOOKS_MADE, ONLY, delivery_key, hook_key,
    pending_key, put, read, stream,
};
use crate::event::EventType;
use crate::look::Watch;
use crate::signature::SECRET_LEN;
use crate::watching::ensure_watch;
use crate::{HookError, Hooks, outbox, watching};

/// How often making an endpoint is tried, beyond those that others may make meanwhile.
const CREATE_TRIES: usize = 5;

/// How often a replay is tried that a delivery comes between.
const TRIES_MAX: u32 = 5;

/// An endpoint to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEndpoint {
    /// Where events are to be sent.
    pub url: String,
    /// Which events; none means all.
    pub events: BTreeSet<EventType>,
    /// The owner's own words.
    pub description: String,
}

/// Deliveries of an endpoint, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryPage {
    /// The deliveries.
    pub deliveries: Vec<Delivery>,
    /// Ask for those before this one; `None` when there are no more.
    pub next: Option<EventId>,
}

impl Hooks {
    /// Makes an endpoint. Its secret is in what is answered; it is not shown again.
    ///
    /// # Errors
    /// [`HookError::InvalidUrl`], [`HookError::TooMany`]; what the store said.
    pub async fn create(&self, account: AccountId, new: NewEndpoint) -> Result<Endpoint, HookError> {
        let inner = &self.inner;
        inner.policy.check(&new.url).map_err(HookError::InvalidUrl)?;
        let limit = inner.options.max_endpoints;
        let (owner, count) = (Owner::Account(account), RecordKey::new(HOOKS_MADE, ONLY));
        // Whoever else makes one meanwhile succeeds, so after as many tries there are too many.
        for _ in 0..limit.saturating_add(CREATE_TRIES) {
            let before = get_record(&*inner.store, owner, &count).await?;
            if self.list(account).await?.len() >= limit {
                return Err(HookError::TooMany { limit });
            }
            let now = inner.now();
            let endpoint = Endpoint {
                id: HookId(Uuid::now_v7()),
                account,
                url: new.url.clone(),
                events: new.events.clone(),
                description: new.description.clone(),
                secret: rand::random::<[u8; SECRET_LEN]>().to_vec(),
                created_at: now,
                failing_since: None,
                disabled: None,
            };
            let expected = before.map_or(Expected::Absent, |before| Expected::Version(before.version));
            let ops = vec![
                put(hook_key(endpoint.id), Expected::Absent, None, &endpoint).1,
                put(count.clone(), expected, None, &endpoint.id).1,
                ensure_watch(&self.watch(account).await?, now),
            ];
            if write_surely(&*inner.store, RecordBatch { owner, ops }).await? == RecordOutcome::Written {
                inner.book.forget(account);
                return Ok(endpoint);
            }
        }
        Err(StoreError::Contended { account, tries: TRIES_MAX }.into())
    }

    /// A watch that begins now.
    async fn watch(&self, account: AccountId) -> Result<Watch, HookError> {
        let books = self.inner.desk.inspect(account, Touched::default()).await?;
        Ok(Watch::begin(&books.ok_or(StoreError::NoAccount { account })?.account))
    }

    /// An account's endpoints, oldest first.
    ///
    /// # Errors
    /// What the store said.
    pub async fn list(&self, account: AccountId) -> Result<Vec<Endpoint>, HookError> {
        let range = RecordRange { limit: usize::MAX, ..RecordRange::default() };
        let records = self.inner.store.list_records(Owner::Account(account), HOOKS, range).await?;
        Ok(records.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// One endpoint.
    ///
    /// # Errors
    /// [`HookError::NotFound`]; what the store said.
    pub async fn get(&self, account: AccountId, hook: HookId) -> Result<Endpoint, HookError> {
        let record = get_record(&*self.inner.store, Owner::Account(account), &hook_key(hook)).await?;
        Ok(read(&record.ok_or(HookError::NotFound)?)?)
    }

    /// Removes an endpoint. What is pending for it is given up; its log stays as long as any.
    ///
    /// # Errors
    /// [`HookError::NotFound`]; what the store said.
    pub async fn delete(&self, account: AccountId, hook: HookId) -> Result<(), HookError> {
        self.get(account, hook).await?;
        self.write(account, vec![RecordOp::Delete { key: hook_key(hook), expected: Expected::Any }]).await?;
        self.inner.book.forget(account);
        self.inner.receivers.forget(hook);
        Ok(())
    }

    /// Calls a disabled endpoint again. What happened meanwhile is not sent.
    ///
    /// # Errors
    /// [`HookError::NotFound`]; what the store said.
    pub async fn enable(&self, account: AccountId, hook: HookId) -> Result<Endpoint, HookError> {
        let change = |endpoint: &mut Endpoint| {
            endpoint.failing_since = None;
            endpoint.disabled.take().is_some()
        };
        let endpoint = self.inner.book.update(account, hook, change).await?.ok_or(HookError::NotFound)?;
        self.inner.receivers.forget(hook);
        Ok(endpoint)
    }

    /// The log of an endpoint: events that it was or is to be told of, newest first, before `before`, at most `limit`.
    ///
    /// # Errors
    /// [`HookError::NotFound`]; what the store said.
    pub async fn deliveries(
        &self,
        account: AccountId,
        hook: HookId,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<DeliveryPage, HookError> {
        self.get(account, hook).await?;
        let range = RecordRange {
            prefix: format!("{}/", hook.0.simple()),
            after: before.map(|before| delivery_key(hook, before).id),
            backwards: true,
            limit: limit + 1,
        };
        let records = self.inner.store.list_records(Owner::Account(account), DELIVERIES, range).await?;
        let mut deliveries: Vec<Delivery> = records.iter().map(read).collect::<Result<_, _>>()?;
        let has_more = deliveries.len() > limit;
        deliveries.truncate(limit);
        let next = deliveries.last().map(|last| last.event).filter(|_| has_more);
        Ok(DeliveryPage { deliveries, next })
    }

    /// Sends an event to an endpoint once more, under the same id, whatever became of it before.
    ///
    /// # Errors
    /// [`HookError::NotFound`], [`HookError::Disabled`]; what the store said.
    pub async fn replay(&self, account: AccountId, hook: HookId, event: EventId) -> Result<Delivery, HookError> {
        let endpoint = self.get(account, hook).await?;
        if endpoint.disabled.is_some() {
            return Err(HookError::Disabled);
        }
        let key = delivery_key(hook, event);
        for _ in 0..TRIES_MAX {
            let record = get_record(&*self.inner.store, Owner::Account(account), &key).await?;
            let record = record.ok_or(HookError::NotFound)?;
            let mut delivery: Delivery = read(&record)?;
            if delivery.state == DeliveryState::Pending {
                return Ok(delivery);
            }
            let now = self.inner.now();
            (delivery.state, delivery.since) = (DeliveryState::Pending, now);
            let stream = stream(delivery.session);
            let ops = vec![
                put(key.clone(), Expected::Version(record.version), None, &delivery).1,
                put(pending_key(hook, &stream, event), Expected::Any, None, &()).1,
                outbox::ensure_lane(&endpoint, &stream, now),
            ];
            let batch = RecordBatch { owner: Owner::Account(account), ops };
            if write_surely(&*self.inner.store, batch).await? == RecordOutcome::Written {
                self.inner.courier.wake();
                return Ok(delivery);
            }
        }
        Err(StoreError::Contended { account, tries: TRIES_MAX }.into())
    }

    /// What an account wants to be told of its credits.
    ///
    /// # Errors
    /// What the store said.
    pub async fn alerts(&self, account: AccountId) -> Result<Alerts, HookError> {
        Ok(watching::alerts(&self.inner, account).await?)
    }

    /// Changes what an account wants to be told of its credits. What holds already is told at once.
    ///
    /// # Errors
    /// What the store said.
    pub async fn set_alerts(&self, account: AccountId, alerts: &Alerts) -> Result<(), HookError> {
        let set = put(RecordKey::new(ALERTS, ONLY), Expected::Any, None, alerts).1;
        let watched = ensure_watch(&self.watch(account).await?, self.inner.now());
        self.write(account, vec![set, watched]).await?;
        Ok(watching::look_at(&self.inner, account).await?)
    }

    async fn write(&self, account: AccountId, ops: Vec<RecordOp>) -> Result<(), HookError> {
        let batch = RecordBatch { owner: Owner::Account(account), ops };
        match write_surely(&*self.inner.store, batch).await? {
            RecordOutcome::Written => Ok(()),
            RecordOutcome::Conflict => Err(StoreError::Contended { account, tries: 1 }.into()),
        }
    }
}
