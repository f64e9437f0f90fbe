//! One session in the meter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::Recipient;
use footlight_ledger::{AccountId, SessionId, Units};
use footlight_session::meter::{Notice, SliceClock};
use footlight_session::{Moment, SliceGate};
use footlight_store::progress::{ProgressEntry, Slot};

use super::messages::MeterNotice;

/// One session in the meter. About 400 bytes, of which a node may have a million.
pub(super) struct Line {
    pub(super) session: SessionId,
    pub(super) account: AccountId,
    pub(super) gate: Arc<SliceGate>,
    pub(super) clock: SliceClock,
    pub(super) listener: Option<Recipient<MeterNotice>>,
    pub(super) bell: Arc<Bell>,
    /// The deadline that stands for it in the wheel; entries for others are outdated.
    pub(super) wheel_at: Moment,
    /// Whether it is looked at in the next round.
    pub(super) is_touched: bool,
    /// Its place in the progress record, while it has one.
    pub(super) slot: Option<Slot>,
    /// Units when progress was last looked at.
    pub(super) seen_units: Units,
    pub(super) units_per_minute: u64,
}

impl Line {
    pub(super) fn tell(&self, notice: Notice) {
        if let Some(listener) = &self.listener {
            // At most a few per answer. A session that is gone needs to hear nothing: its settlement goes on here.
            listener.do_send(MeterNotice(notice));
        }
    }

    /// Its line in the progress record, as it begins.
    pub(super) fn progress(&self) -> ProgressEntry {
        ProgressEntry {
            session: self.session,
            account: self.account,
            epoch: self.clock.epoch(),
            units: self.seen_units,
            position_ms: self.position_ms(self.seen_units),
        }
    }

    /// Time that `units` stand for, in milliseconds.
    pub(super) fn position_ms(&self, units: Units) -> u64 {
        u64::try_from(u128::from(units) * 60_000 / u128::from(self.units_per_minute)).unwrap_or(u64::MAX)
    }
}

/// Lets a renderer ring for its session without ever queueing twice: a mailbox has no bound of its own.
#[derive(Debug, Default)]
pub(super) struct Bell(AtomicBool);

impl Bell {
    /// Whether the meter has to be told; false while it was told and has not looked.
    pub(super) fn ring(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// The meter looks.
    pub(super) fn heard(&self) {
        self.0.store(false, Ordering::Release);
    }
}
