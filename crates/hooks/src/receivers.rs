//! How receivers do, as this node sees it: how many deliveries are under way to each, and which are left alone for a while.
//!
//! A receiver that is down must not be asked for every one of its streams: after some failures in a row nothing is sent to
//! it but a probe now and then, and its streams wait for that.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use footlight_ledger::HookId;
use parking_lot::Mutex;

use crate::HookOptions;

/// Failures in a row after which a receiver is left alone.
const FAILURES_MAX: u32 = 4;

/// The receivers that anything is known of.
#[derive(Default)]
pub(crate) struct Receivers(Mutex<HashMap<HookId, Receiver>>);

#[derive(Default)]
struct Receiver {
    under_way: usize,
    failures: u32,
    /// Rests since the last success.
    rests: u32,
    rests_until: Option<Instant>,
    failed_at: Option<Instant>,
}

/// What may be sent to a receiver now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// This many deliveries more; none when it is busy.
    Free(usize),
    /// Nothing, for so long.
    Rests(Duration),
}

impl Receivers {
    pub(crate) fn room(&self, hook: HookId, options: &HookOptions) -> Room {
        let receivers = self.0.lock();
        let Some(receiver) = receivers.get(&hook) else { return Room::Free(options.concurrency) };
        let left = receiver.rests_until.map(|until| until.saturating_duration_since(Instant::now()));
        match left {
            Some(left) if !left.is_zero() => Room::Rests(left),
            // One that was left alone is tried with one delivery first.
            Some(_) => Room::Free(1_usize.saturating_sub(receiver.under_way)),
            None => Room::Free(options.concurrency.saturating_sub(receiver.under_way)),
        }
    }

    pub(crate) fn begin(&self, hook: HookId) {
        self.0.lock().entry(hook).or_default().under_way += 1;
    }

    pub(crate) fn end(&self, hook: HookId) {
        let mut receivers = self.0.lock();
        if let Some(receiver) = receivers.get_mut(&hook) {
            receiver.under_way -= 1;
            if receiver.under_way == 0 && receiver.failures == 0 {
                receivers.remove(&hook);
            }
        }
    }

    pub(crate) fn succeeded(&self, hook: HookId) {
        if let Some(receiver) = self.0.lock().get_mut(&hook) {
            (receiver.failures, receiver.rests, receiver.rests_until) = (0, 0, None);
        }
    }

    pub(crate) fn failed(&self, hook: HookId, options: &HookOptions) {
        let mut receivers = self.0.lock();
        let receiver = receivers.entry(hook).or_default();
        receiver.failures = receiver.failures.saturating_add(1);
        let now = Instant::now();
        receiver.failed_at = Some(now);
        let rests = receiver.rests_until.is_some_and(|until| until > now);
        if !rests && (receiver.failures >= FAILURES_MAX || receiver.rests > 0) {
            receiver.rests = receiver.rests.saturating_add(1);
            receiver.rests_until = Some(now + options.retry_after(receiver.rests, rand::random()));
        }
    }

    /// Nothing is known of it any more: it was changed or deleted.
    pub(crate) fn forget(&self, hook: HookId) {
        let mut receivers = self.0.lock();
        if let Some(receiver) = receivers.get_mut(&hook) {
            if receiver.under_way == 0 {
                receivers.remove(&hook);
            } else {
                *receiver = Receiver { under_way: receiver.under_way, ..Receiver::default() };
            }
        }
    }

    /// Forgets receivers that have not been tried for longer than one that still fails is left alone: they are deleted, or
    /// another node tries them.
    pub(crate) fn sweep(&self, options: &HookOptions, now: Instant) {
        let tried_within = options.paced(options.last_retry).saturating_mul(3);
        let is_tried = |at: Instant| now.saturating_duration_since(at) <= tried_within;
        self.0.lock().retain(|_, receiver| receiver.under_way > 0 || receiver.failed_at.is_some_and(is_tried));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_receiver_that_fails_is_left_alone_and_then_tried_with_one() {
        let options = HookOptions { pace: 1_000.0, ..HookOptions::default() };
        let (receivers, hook) = (Receivers::default(), HookId(Uuid::from_u128(1)));
        receivers.begin(hook);
        assert_eq!(receivers.room(hook, &options), Room::Free(options.concurrency - 1));
        for _ in 0..FAILURES_MAX {
            assert!(matches!(receivers.room(hook, &options), Room::Free(_)));
            receivers.failed(hook, &options);
        }
        assert!(matches!(receivers.room(hook, &options), Room::Rests(_)));
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(receivers.room(hook, &options), Room::Rests(_)) {
            assert!(Instant::now() < deadline, "it is left alone for ever");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(receivers.room(hook, &options), Room::Free(0), "the one under way is the probe");
        receivers.failed(hook, &options);
        assert!(matches!(receivers.room(hook, &options), Room::Rests(_)), "one failure suffices now");
        receivers.succeeded(hook);
        receivers.end(hook);
        assert_eq!(receivers.room(hook, &options), Room::Free(options.concurrency));
        assert!(receivers.0.lock().is_empty());
    }

    #[test]
    fn what_was_deleted_is_forgotten() {
        let options = HookOptions::default();
        let (receivers, hook) = (Receivers::default(), HookId(Uuid::from_u128(1)));
        receivers.begin(hook);
        receivers.forget(hook);
        receivers.failed(hook, &options);
        receivers.end(hook);
        assert_eq!(receivers.0.lock().len(), 1, "it failed after it was deleted");
        receivers.sweep(&options, Instant::now());
        assert_eq!(receivers.0.lock().len(), 1, "it may be tried again");
        receivers.sweep(&options, Instant::now() + options.last_retry * 4);
        assert!(receivers.0.lock().is_empty());
    }
}
