//! All outlets of one performance, from the performer's side.

use std::time::Instant;

use crate::outlet::Port;
use crate::{AudioUnit, VideoUnit};

/// The outlets of one performance.
#[derive(Debug, Default)]
pub(super) struct Ports {
    ports: Vec<Port>,
    /// Frames are missing before the next one.
    discontinuity: bool,
}

impl Ports {
    pub(super) fn add(&mut self, port: Port) {
        self.ports.push(port);
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.ports.retain(|port| port.id() != id);
    }

    /// How many outlets somebody reads. Forgets those that were dropped.
    pub(super) fn count_watching(&mut self, now: Instant) -> usize {
        self.ports.retain(|port| !port.is_closed());
        self.ports.iter_mut().filter_map(|port| port.is_watching(now).then_some(())).count()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// Whether anybody sees frames in which nothing is said.
    pub(super) fn has_live(&self) -> bool {
        self.ports.iter().any(Port::is_live)
    }

    pub(super) fn has_recording(&self) -> bool {
        self.ports.iter().any(|port| !port.is_live())
    }

    /// Whether some reader waits for an IDR that it has room for. Recordings want one only while something is said.
    pub(super) fn want_idr(&self, speaking: bool) -> bool {
        self.ports.iter().any(|port| (speaking || port.is_live()) && port.wants_idr())
    }

    /// No outlet takes the frame that was made: each of them lost it.
    pub(super) fn refuse_all(&mut self, now: Instant) {
        for port in &mut self.ports {
            port.refuse(now);
        }
    }

    /// Something that is not there was left out for all of them: the picture goes on at an IDR.
    pub(super) fn lose_all(&mut self) {
        for port in &mut self.ports {
            port.lose();
        }
    }

    /// Whether any outlet would take a video unit like this one.
    pub(super) fn accept_video(&self, idr: bool) -> bool {
        self.ports.iter().any(|port| port.accepts_video(idr))
    }

    /// The next frame does not follow the last one in time.
    pub(super) fn mark_discontinuity(&mut self) {
        self.discontinuity = true;
    }

    /// Lets no unit of an older generation reach a live reader any more. Returns whether anything was purged.
    pub(super) fn purge_before(&mut self, generation: u32) -> bool {
        // Each of them, whatever the one before said.
        let purged = self.ports.iter_mut().map(|port| port.purge_before(generation));
        purged.filter(|&purged| purged).count() > 0
    }

    pub(super) fn offer_video(&mut self, mut unit: VideoUnit, samples: u64, now: Instant) {
        unit.discontinuity = std::mem::take(&mut self.discontinuity);
        for port in &mut self.ports {
            port.offer_video(&unit, samples, now);
        }
    }

    pub(super) fn offer_audio(&mut self, unit: &AudioUnit, now: Instant) {
        for port in &mut self.ports {
            port.offer_audio(unit, now);
        }
    }
}
