//! Audio that arrives while it is spoken: a microphone, or speech synthesised as it streams.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use crate::bounds::AudioBounds;
use crate::performance::Shared;
use crate::room::Claim;
use crate::{StageError, UtteranceId};

/// The sender's end of a live utterance. Dropping it ends the utterance.
#[derive(Debug)]
pub struct LiveFeed {
    id: UtteranceId,
    buffer: Arc<LiveBuffer>,
    shared: Arc<Shared>,
}

/// What was pushed and not yet fetched.
#[derive(Debug)]
pub(crate) struct LiveBuffer(Mutex<Arrived>);

#[derive(Debug)]
struct Arrived {
    samples: VecDeque<i16>,
    /// For what was pushed and not yet spoken.
    claim: Claim,
    /// The sender is done.
    ended: bool,
    /// The performer is done with it: nothing more is taken.
    over: bool,
}

impl LiveFeed {
    pub(crate) fn new(id: UtteranceId, shared: Arc<Shared>) -> (Self, Arc<LiveBuffer>) {
        let buffer = Arc::new(LiveBuffer::new(&shared.bounds));
        (Self { id, buffer: Arc::clone(&buffer), shared }, buffer)
    }

    /// The utterance that is being fed.
    #[must_use]
    pub fn utterance(&self) -> UtteranceId {
        self.id
    }

    /// Appends 48 kHz mono samples. Returns how many more samples would fit now. Takes all or nothing.
    ///
    /// # Errors
    /// [`StageError::QueueFull`] and [`StageError::NoRoom`] when they do not fit: push again once some were spoken.
    /// [`StageError::UtteranceOver`] once the utterance was interrupted, ended, or had no audio for 300 ms.
    /// [`StageError::Closed`] once the performance is.
    pub fn push(&self, samples: &[i16]) -> Result<u64, StageError> {
        {
            let mut arrived = self.buffer.0.lock();
            self.check_open(&arrived)?;
            // Under the lock: whatever marks the utterance over gives the reservation back exactly once.
            self.shared.reserve(samples.len() as u64, &mut arrived.claim)?;
            arrived.samples.extend(samples);
        }
        self.shared.wake();
        Ok(self.shared.room())
    }

    /// Whether this many more samples would be taken now.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn check_room(&self, samples: u64) -> Result<(), StageError> {
        let arrived = self.buffer.0.lock();
        self.check_open(&arrived)?;
        self.shared.check_room(samples, &arrived.claim)
    }

    fn check_open(&self, arrived: &Arrived) -> Result<(), StageError> {
        if !arrived.over && !arrived.ended {
            return Ok(());
        }
        Err(if self.shared.is_closed() { StageError::Closed } else { StageError::UtteranceOver })
    }

    /// Says that nothing follows: what is there is spoken at once, without waiting for more.
    pub fn end(&self) {
        self.buffer.0.lock().ended = true;
        self.shared.wake();
    }
}

impl Drop for LiveFeed {
    fn drop(&mut self) {
        self.end();
    }
}

impl LiveBuffer {
    fn new(bounds: &AudioBounds) -> Self {
        let (samples, claim) = (VecDeque::new(), bounds.claim());
        Self(Mutex::new(Arrived { samples, claim, ended: false, over: false }))
    }

    /// So many samples of those that were fetched are not needed any more.
    pub(crate) fn spoken(&self, samples: u64) {
        self.0.lock().claim.give_back(samples);
    }

    /// Moves what has arrived to `into`. Returns whether the sender is done.
    pub(crate) fn fetch(&self, into: &mut Vec<i16>) -> bool {
        let mut arrived = self.0.lock();
        let (front, back) = arrived.samples.as_slices();
        into.extend_from_slice(front);
        into.extend_from_slice(back);
        arrived.samples.clear();
        arrived.ended
    }

    /// Whether anything has arrived, or the sender is done.
    pub(crate) fn has_news(&self) -> bool {
        let arrived = self.0.lock();
        arrived.ended || !arrived.samples.is_empty()
    }

    /// Takes nothing more. Returns how many samples had not been fetched.
    pub(crate) fn close(&self) -> u64 {
        let mut arrived = self.0.lock();
        arrived.over = true;
        let left = arrived.samples.len() as u64;
        arrived.samples = VecDeque::new();
        arrived.claim.give_back(left);
        left
    }
}

impl Shared {
    /// Takes room in the queue, and for `claim` in that of all.
    pub(crate) fn reserve(&self, samples: u64, claim: &mut Claim) -> Result<(), StageError> {
        if self.is_closed() {
            return Err(StageError::Closed);
        }
        let fits = |queued: u64| (queued + samples <= self.bounds.queue_limit).then_some(queued + samples);
        match self.queued.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits) {
            Ok(_) => Ok(claim.take(samples).inspect_err(|_| self.release(samples))?),
            Err(_) => Err(self.queue_full(samples)),
        }
    }

    /// Whether so many samples more would find room now.
    pub(crate) fn check_room(&self, samples: u64, claim: &Claim) -> Result<(), StageError> {
        if samples > self.room() { Err(self.queue_full(samples)) } else { Ok(claim.check(samples)?) }
    }

    /// Whether so many samples would find room if nothing else waited.
    pub(crate) fn check_alone(&self, samples: u64) -> Result<(), StageError> {
        let limit = self.bounds.queue_limit;
        if samples <= limit {
            return Ok(());
        }
        Err(StageError::QueueFull { queued_ms: 0, limit_ms: limit / 48, refused_ms: samples / 48 })
    }

    fn queue_full(&self, samples: u64) -> StageError {
        StageError::QueueFull {
            queued_ms: self.queued.load(Ordering::Acquire) / 48,
            limit_ms: self.bounds.queue_limit / 48,
            refused_ms: samples / 48,
        }
    }

    /// Gives room back: samples that were spoken or dropped.
    pub(crate) fn release(&self, samples: u64) {
        self.queued.fetch_sub(samples, Ordering::AcqRel);
    }

    /// How many more samples fit.
    pub(crate) fn room(&self) -> u64 {
        self.bounds.queue_limit.saturating_sub(self.queued.load(Ordering::Acquire))
    }
}
