//! Where encoded units leave a performance: one bounded, ordered queue per reader.
//!
//! A slow reader never costs memory and never slows the others: what does not fit its queue is dropped, whole access
//! units only, and its picture goes on at the next IDR.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::performance::Shared;
use crate::{AudioUnit, SAMPLE_RATE, Unit, VideoUnit};

/// An outlet that took nothing for this long counts as gone until it reads again: its connection is most likely dead, and
/// speech must not run on, charged or not, for a reader that is not there.
const STUCK_AFTER: Duration = Duration::from_secs(2);

/// Samples in one audio packet.
const PACKET_SAMPLES: u64 = 960;

/// Which units an outlet gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutletKind {
    /// Everything, in media time: for people who watch.
    #[default]
    Live,
    /// Active units alone, re-timed without gaps from zero: for recordings. An interrupt does not purge its queue.
    ActiveOnly,
}

/// How an outlet is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutletOptions {
    /// Which units it gets.
    pub kind: OutletKind,
    /// Units that may wait in it; the stage's own bound when `None`. Raising it bridges longer pauses of the reader, at
    /// a few kB a unit.
    pub max_queued: Option<usize>,
}

/// The reader's end. Dropping it detaches.
#[derive(Debug)]
pub struct Outlet {
    pub(crate) id: u64,
    pub(crate) units: mpsc::Receiver<Unit>,
    pub(crate) status: Arc<OutletStatus>,
    pub(crate) shared: Arc<Shared>,
}

/// What both ends of an outlet know.
#[derive(Debug, Default)]
pub(crate) struct OutletStatus {
    dropped: AtomicU64,
    /// Units of older generations that still wait are not given to the reader.
    oldest_generation: AtomicU32,
    /// Units were left out because the node's tenure was over: the picture must go on at an IDR.
    withheld: AtomicBool,
}

impl Outlet {
    /// Waits for the next unit; `None` once the performance is over and everything was read.
    pub async fn next(&mut self) -> Option<Unit> {
        loop {
            let unit = self.units.recv().await?;
            if self.is_current(&unit) {
                return Some(unit);
            }
        }
    }

    /// As [`next`](Self::next), for a thread of its own. Must not be called inside an async runtime.
    pub fn blocking_next(&mut self) -> Option<Unit> {
        loop {
            let unit = self.units.blocking_recv()?;
            if self.is_current(&unit) {
                return Some(unit);
            }
        }
    }

    /// Returns a unit that is already there.
    pub fn try_next(&mut self) -> Option<Unit> {
        loop {
            let unit = self.units.try_recv().ok()?;
            if self.is_current(&unit) {
                return Some(unit);
            }
        }
    }

    /// Units lost so far because this reader was slow, or passed over after an interrupt.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.status.dropped.load(Ordering::Relaxed)
    }

    /// Says that a unit that was read did not reach anybody: the picture goes on at an IDR.
    pub fn leave_out(&self) {
        self.status.withheld.store(true, Ordering::Release);
        self.status.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the reader may have it. Asked when it is read, for it may have waited here past the node's tenure.
    fn is_current(&self, unit: &Unit) -> bool {
        if !self.shared.tenure.holds_now() {
            self.leave_out();
            return false;
        }
        let current = unit.generation() >= self.status.oldest_generation.load(Ordering::Acquire);
        if !current {
            self.status.dropped.fetch_add(1, Ordering::Relaxed);
        }
        current
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.units.close();
        self.shared.detached(self.id);
    }
}

/// The performer's end of one outlet.
#[derive(Debug)]
pub(crate) struct Port {
    id: u64,
    kind: OutletKind,
    units: mpsc::Sender<Unit>,
    status: Arc<OutletStatus>,
    /// Nothing passes before the next IDR: nothing has passed yet, or something was dropped.
    needs_idr: bool,
    /// Whether anything has passed at all.
    started: bool,
    /// Since when everything offered was refused.
    refusing_since: Option<Instant>,
    /// Of a recording: samples of picture and of sound so far.
    recorded: Recorded,
}

#[derive(Debug, Default, Clone, Copy)]
struct Recorded {
    picture: u64,
    sound: u64,
}

impl Port {
    /// Both ends of a new outlet.
    pub(crate) fn open(id: u64, kind: OutletKind, max_queued: usize, shared: Arc<Shared>) -> (Self, Outlet) {
        let (sender, units) = mpsc::channel(max_queued.max(4));
        let status = Arc::new(OutletStatus::default());
        let port = Self {
            id,
            kind,
            units: sender,
            status: Arc::clone(&status),
            needs_idr: true,
            started: false,
            refusing_since: None,
            recorded: Recorded::default(),
        };
        (port, Outlet { id, units, status, shared })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.units.is_closed()
    }

    /// Whether somebody reads it. Looked at once a frame.
    pub(crate) fn is_watching(&mut self, now: Instant) -> bool {
        if self.status.withheld.load(Ordering::Acquire) && self.status.withheld.swap(false, Ordering::AcqRel) {
            self.lose();
        }
        if self.has_room_to_go_on() {
            self.refusing_since = None;
        }
        self.refusing_since.is_none_or(|since| now.saturating_duration_since(since) < STUCK_AFTER)
    }

    pub(crate) fn is_live(&self) -> bool {
        self.kind == OutletKind::Live
    }

    /// Whether an IDR would let it begin or go on.
    pub(crate) fn wants_idr(&self) -> bool {
        self.needs_idr && self.has_room_to_go_on()
    }

    /// Whether a video unit like this one would be taken now.
    pub(crate) fn accepts_video(&self, idr: bool) -> bool {
        if self.needs_idr { idr && self.has_room_to_go_on() } else { self.units.capacity() > 0 }
    }

    /// After a drop a reader must have caught up by half its queue: going on at the first free slot would only drop again.
    fn has_room_to_go_on(&self) -> bool {
        self.units.capacity() * 2 >= self.units.max_capacity()
    }

    /// Lets nothing older than `generation` reach a live reader any more; `true` if something was purged and the picture
    /// must go on at an IDR.
    pub(crate) fn purge_before(&mut self, generation: u32) -> bool {
        if !self.is_live() {
            return false;
        }
        self.status.oldest_generation.store(generation, Ordering::Release);
        let purged = self.units.capacity() < self.units.max_capacity();
        self.needs_idr |= purged;
        purged
    }

    /// Offers one access unit. Returns whether it was handed out.
    pub(crate) fn offer_video(&mut self, unit: &VideoUnit, samples: u64, now: Instant) -> bool {
        if self.kind == OutletKind::ActiveOnly && !unit.active {
            // What follows predicts from this unit, which the recording leaves out.
            self.needs_idr = true;
            return false;
        }
        if self.needs_idr && !unit.idr {
            self.refuse(now);
            return false;
        }
        if !self.accepts_video(unit.idr) {
            self.refuse(now);
            return false;
        }
        let mut unit = unit.clone();
        unit.discontinuity |= self.needs_idr && self.started;
        if self.kind == OutletKind::ActiveOnly {
            if self.needs_idr {
                // A run begins where the longer track ended: packets and frames need not end together.
                let start = self.recorded.picture.max(self.recorded.sound);
                self.recorded = Recorded { picture: start, sound: start };
            }
            unit.pts_us = micros(self.recorded.picture);
            self.recorded.picture += samples;
        }
        self.send(Unit::Video(unit), now)
    }

    /// Offers one packet of sound.
    pub(crate) fn offer_audio(&mut self, unit: &AudioUnit, now: Instant) {
        if self.kind == OutletKind::ActiveOnly && !unit.active {
            return;
        }
        // Sound waits for its picture, at the start and after a drop.
        if self.needs_idr && !(self.kind == OutletKind::ActiveOnly && self.recorded.sound < self.recorded.picture) {
            self.refuse(now);
            return;
        }
        let mut unit = unit.clone();
        if self.kind == OutletKind::ActiveOnly {
            unit.pts_us = micros(self.recorded.sound);
            self.recorded.sound += PACKET_SAMPLES;
        }
        self.send(Unit::Audio(unit), now);
    }

    fn send(&mut self, unit: Unit, now: Instant) -> bool {
        let video = matches!(unit, Unit::Video(_));
        match self.units.try_send(unit) {
            Ok(()) => {
                self.started = true;
                self.refusing_since = None;
                if video {
                    self.needs_idr = false;
                }
                true
            }
            Err(TrySendError::Full(_)) => {
                self.refuse(now);
                false
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }

    /// The picture goes on at the next IDR, though this reader is not to blame.
    pub(crate) fn lose(&mut self) {
        self.needs_idr = true;
    }

    /// Loses one unit: the picture goes on at the next IDR.
    pub(crate) fn refuse(&mut self, now: Instant) {
        self.needs_idr = true;
        if self.started {
            self.status.dropped.fetch_add(1, Ordering::Relaxed);
        }
        // Before its first unit an outlet waits for an IDR, which is not its fault.
        if self.started || self.units.capacity() == 0 {
            self.refusing_since.get_or_insert(now);
        }
    }
}

/// Samples to microseconds.
pub(crate) fn micros(samples: u64) -> u64 {
    samples * 1_000_000 / u64::from(SAMPLE_RATE)
}
