//! One session's performance on its worker: what each command does, and what each frame is.

mod ports;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release, SeqCst};
use std::time::{Duration, Instant};

use footlight_media::EncodedVideo;
use footlight_session::slice::{SliceGate, Taken};
use footlight_session::{SessionId, Units, WhenUnwatched};

use self::ports::Ports;
use crate::clock::FrameClock;
use crate::event::{EventSink, StageEvent, UtteranceOutcome};
use crate::library::{Library, Stand};
use crate::outlet::micros;
use crate::performance::{Command, Interrupted, Remainder, Shared, SpeakMode};
use crate::scene::{CameraPool, Props, Scene};
use crate::soundtrack::{FADE_SAMPLES, Soundtrack};
use crate::speech::{Cue, Cut, SpeechQueue, Spoken};
use crate::stats::WorkerStats;
use crate::{AudioUnit, PerformanceSpec, StageError, VideoUnit};

/// Live speech without audio for this long is over.
const UNDERRUN_MAX: Duration = Duration::from_millis(300);

/// Between two IDRs that are made for readers who joined or lost units: each costs four predicted frames.
const FORCED_IDR_INTERVAL: Duration = Duration::from_secs(1);

/// What a performer finds on its worker.
pub(crate) struct Backstage {
    pub(crate) library: Arc<Library>,
    pub(crate) cameras: CameraPool,
    pub(crate) stats: Arc<WorkerStats>,
}

/// When a performer wants to be called again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// At this time.
    At(Instant),
    /// When a command arrives.
    Asleep,
    /// Never: it is over.
    Over,
}

/// One session's performance.
pub(crate) struct Performer {
    shared: Arc<Shared>,
    spec: PerformanceSpec,
    gate: Arc<SliceGate>,
    sink: EventSink,
    clock: FrameClock,
    speech: SpeechQueue,
    scene: Scene,
    soundtrack: Soundtrack,
    ports: Ports,
    paused: bool,
    watched: bool,
    /// The last frame was an active one.
    in_run: bool,
    /// The session was told that speech waits for the gate.
    asked: bool,
    starved_frames: u32,
    /// The node's tenure does not hold: everything stands still.
    withheld: bool,
    /// A reader's queue was purged: its picture must go on at an IDR, now.
    purged: bool,
    idr_forced_at: Option<Instant>,
    sleeping: bool,
    pcm: Vec<i16>,
    packets: Vec<AudioUnit>,
}

impl Performer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        spec: PerformanceSpec,
        gate: Arc<SliceGate>,
        sink: EventSink,
        stand: Arc<Stand>,
        library: &Library,
    ) -> Self {
        let mut ports = Ports::default();
        let mut begins_us = shared.media_time_us.load(Acquire);
        if shared.is_sequel {
            ports.mark_discontinuity();
            // Of the frame that the one before broke in, something may have been handed out.
            begins_us += 1_000_000 / u64::from(spec.fps);
        }
        Self {
            clock: FrameClock::new(shared.origin, spec.fps, begins_us),
            speech: SpeechQueue::new(Arc::clone(&shared), spec.samples_per_frame()),
            scene: Scene::new(stand),
            soundtrack: Soundtrack::new(library.sound, library.silence.clone()),
            ports,
            paused: false,
            watched: false,
            in_run: false,
            asked: false,
            starved_frames: 0,
            withheld: false,
            purged: false,
            idr_forced_at: None,
            sleeping: true,
            pcm: Vec::new(),
            packets: Vec::new(),
            shared,
            spec,
            gate,
            sink,
        }
    }

    pub(crate) fn session(&self) -> SessionId {
        self.spec.session
    }

    /// What it costs while it speaks; see [`PerformanceSpec::weight_milli`].
    pub(crate) fn weight_milli(&self) -> u64 {
        self.spec.weight_milli()
    }

    /// Says that it is there.
    pub(crate) fn begin(&mut self) -> Pace {
        self.emit(StageEvent::Ready);
        Pace::Asleep
    }

    /// Obeys a command. Returns when to call again.
    pub(crate) fn obey(
        &mut self,
        command: Command,
        now: Instant,
        backstage: &mut Backstage,
    ) -> Result<Pace, StageError> {
        match command {
            Command::Speak { utterance, mode, claim } => {
                if mode == SpeakMode::Replace {
                    self.interrupt();
                }
                self.speech.append(utterance, claim);
            }
            Command::GoOn(remainders) => {
                for (Remainder { utterance, from }, claim) in remainders {
                    self.speech.append_from(utterance, from, claim);
                }
            }
            Command::SpeakLive { id, buffer } => self.speech.append_live(id, buffer),
            Command::Interrupt { reply } => {
                let interrupted = self.interrupt();
                // Whoever asked may have gone; the interrupt holds all the same.
                let _ = reply.send(interrupted);
            }
            // What nobody sees is not made up for.
            Command::Gesture(gesture) if self.may_speak() => self.scene.begin_gesture(gesture),
            Command::Gesture(_) => {}
            Command::Pause => self.paused = true,
            Command::Resume => {
                // What was asked before the pause may have been answered, and the answer taken back, while it lasted.
                self.asked &= !std::mem::take(&mut self.paused);
            }
            Command::Attach(port) => self.ports.add(port),
            Command::Detach(id) => self.ports.remove(id),
            Command::Wake => {}
            Command::Close => return Ok(self.close(backstage)),
        }
        self.look_at_watchers(now);
        if self.may_speak() && self.speech.has_speech() {
            // Asked for right away rather than at the next frame: the answer may be there by then.
            self.look_at_gate();
        }
        Ok(self.pace(now, backstage))
    }

    /// Performs the frame that is due.
    pub(crate) fn tick(&mut self, now: Instant, backstage: &mut Backstage) -> Result<Pace, StageError> {
        let skipped = self.clock.skip_to_present(now);
        if skipped > 0 {
            self.ports.mark_discontinuity();
            self.count_stalls(skipped, &backstage.stats);
        }
        self.look_at_watchers(now);
        if self.holds_tenure() {
            self.go_on();
            self.perform(now, backstage)?;
        } else {
            self.withhold(backstage);
        }
        self.clock.advance();
        self.shared.media_time_us.store(micros(self.media_samples()), Release);
        Ok(self.pace(now, backstage))
    }

    fn perform(&mut self, now: Instant, backstage: &mut Backstage) -> Result<(), StageError> {
        if !self.watched {
            self.pass_unwatched(backstage)?;
        } else if self.paused {
            self.end_run(true);
            self.show_frozen(now, backstage)?;
        } else if !self.speak(now, backstage)? {
            self.show_rest(now, backstage)?;
        }
        Ok(())
    }

    /// Ends the performance because something broke.
    pub(crate) fn fail(&mut self, detail: String) {
        for cut in self.speech.clear() {
            let outcome = UtteranceOutcome::Failed { detail: detail.clone() };
            self.emit(StageEvent::UtteranceEnded { utterance: cut.utterance, position_ms: cut.position_ms, outcome });
        }
        self.shared.closed.store(true, Release);
        self.emit(StageEvent::Failed { detail });
    }

    fn close(&mut self, backstage: &mut Backstage) -> Pace {
        let cuts = self.speech.clear();
        self.report_cuts(&cuts);
        self.scene.leave(&mut props(backstage));
        self.shared.closed.store(true, Release);
        Pace::Over
    }

    /// Performs an active frame, if there is one to perform and the gate lets it pass.
    fn speak(&mut self, now: Instant, backstage: &mut Backstage) -> Result<bool, StageError> {
        let begun = Instant::now();
        let fps = self.spec.fps;
        let library = &backstage.library;
        let for_renderer = self.scene.hears();
        let cue = self.speech.look(|| library.voice(fps, for_renderer))?;
        match cue {
            Cue::Nothing => return Ok(false),
            Cue::Starved => {
                self.starve(&backstage.stats);
                return Ok(false);
            }
            Cue::Ready => {}
        }
        self.starved_frames = 0;
        // Speech begins and goes on where a packet begins, so that a recording of it can be cut between packets.
        if !self.look_at_gate() || !(self.in_run || self.clock.is_aligned()) {
            return Ok(false);
        }
        backstage.stats.face.record(begun.elapsed());

        let force_idr = self.wants_idr(true, now, backstage) || (!self.in_run && self.ports.has_recording());
        let picture =
            self.scene.speak(&self.speech.weights(), self.speech.renderer_sound(), force_idr, &mut props(backstage))?;
        let heard_by_somebody = self.ports.accept_video(picture.idr);
        if heard_by_somebody {
            if !self.holds_tenure() {
                self.scene.not_shown();
                return Ok(false);
            }
            match self.gate.take(1) {
                Taken::Yes => {}
                // Closed since it was looked at. The picture is not shown, and the position stays.
                Taken::SliceSpent | Taken::Shut => {
                    self.scene.not_shown();
                    return Ok(false);
                }
            }
        }
        if heard_by_somebody {
            let unit = self.video_unit(picture, true);
            self.hand_out_video(unit, backstage);
            self.tell_of_gesture();
        } else {
            // Not offered: a reader who makes room in this moment must not get a frame that was not counted.
            self.ports.refuse_all(now);
        }

        self.pcm.clear();
        let resumes = self.speech.sound(&mut self.pcm) && !self.in_run;
        let encoding = Instant::now();
        let at = self.media_samples();
        self.soundtrack.push_speech(&self.pcm, at, resumes, &mut self.packets)?;
        backstage.stats.opus.record(encoding.elapsed());
        self.hand_out_audio();

        if heard_by_somebody {
            self.shared.frames.fetch_add(1, AcqRel);
            WorkerStats::count(&backstage.stats.active_frames, 1);
        }
        if !std::mem::replace(&mut self.in_run, true) {
            self.shared.speaking.store(true, Release);
            self.emit(StageEvent::StartedSpeaking);
        }
        let spoken = self.speech.spoke();
        self.report_spoken(spoken, u64::from(heard_by_somebody));
        if heard_by_somebody && self.gate.crossed_ask_mark() {
            self.emit(StageEvent::AskNow);
        }
        backstage.stats.frame_time.record(begun.elapsed());
        Ok(true)
    }

    /// Performs a frame in which nothing is said.
    fn show_rest(&mut self, now: Instant, backstage: &mut Backstage) -> Result<(), StageError> {
        self.end_run(!self.asked);
        let force_idr = self.wants_idr(false, now, backstage);
        let picture = self.scene.rest(force_idr, &mut props(backstage))?;
        let unit = self.video_unit(picture, false);
        self.hand_out_video(unit, backstage);
        self.tell_of_gesture();
        self.push_silence()
    }

    /// Performs a frame of pause.
    fn show_frozen(&mut self, now: Instant, backstage: &mut Backstage) -> Result<(), StageError> {
        let force_idr = self.wants_idr(false, now, backstage);
        if let Some(picture) = self.scene.freeze(force_idr, &mut props(backstage))? {
            let unit = self.video_unit(picture, false);
            self.hand_out_video(unit, backstage);
        }
        self.push_silence()
    }

    /// Looks at the clock each time: the process may have been stopped since the last look.
    fn holds_tenure(&self) -> bool {
        self.shared.tenure.holds_now()
    }

    /// A frame's time passes in which nothing may be handed out: another node may be going on with the session. All is kept
    /// as it is.
    fn withhold(&mut self, backstage: &mut Backstage) {
        self.end_run(true);
        self.scene.leave(&mut props(backstage));
        self.soundtrack.rest();
        self.withheld = true;
    }

    /// Goes on after it was withheld, as after a drop.
    fn go_on(&mut self) {
        if std::mem::take(&mut self.withheld) {
            self.ports.lose_all();
            self.ports.mark_discontinuity();
            self.purged = true;
            // What was asked before may have been answered, and the answer taken back.
            self.asked = false;
        }
    }

    /// A frame's time passes with nobody there.
    fn pass_unwatched(&mut self, backstage: &mut Backstage) -> Result<(), StageError> {
        self.end_run(true);
        self.scene.leave(&mut props(backstage));
        self.soundtrack.rest();
        if !self.may_pass_unseen() {
            return Ok(());
        }
        match self.speech.pass_unseen() {
            Some(spoken) => {
                self.starved_frames = 0;
                self.report_spoken(spoken, 0);
            }
            None => self.starve(&backstage.stats),
        }
        Ok(())
    }

    /// Live speech has nothing to say for a frame.
    fn starve(&mut self, stats: &WorkerStats) {
        if self.speech.current().is_none() {
            return;
        }
        self.count_stalls(1, stats);
        self.starved_frames += 1;
        if self.clock.period() * self.starved_frames >= UNDERRUN_MAX {
            self.starved_frames = 0;
            if let Some(ended) = self.speech.end_starved() {
                self.report_spoken(Spoken { started: None, ended: Some(ended) }, 0);
            }
        }
    }

    /// Active frames end here, in the middle of an utterance or not.
    fn end_run(&mut self, tell: bool) {
        if !std::mem::take(&mut self.in_run) {
            return;
        }
        self.soundtrack.cut(self.speech.tail(FADE_SAMPLES));
        self.shared.speaking.store(false, Release);
        if tell {
            self.emit(StageEvent::FellSilent);
        }
    }

    /// Looks whether the gate has room, and says once that speech waits for it.
    fn look_at_gate(&mut self) -> bool {
        if self.gate.remaining() > 0 {
            self.asked = false;
            return true;
        }
        if !std::mem::replace(&mut self.asked, true) && !self.gate.is_shut() {
            self.emit(if self.in_run { StageEvent::SliceSpent } else { StageEvent::WantsToSpeak });
        }
        false
    }

    fn interrupt(&mut self) -> Interrupted {
        let current = self.speech.current();
        if self.in_run {
            self.end_run(true);
        }
        let cuts = self.speech.clear();
        // Gestures go on; a pose that waited for speech does not.
        self.scene.release_gesture();
        self.asked = false;
        self.starved_frames = 0;
        let generation = self.shared.generation.fetch_add(1, AcqRel) + 1;
        self.purged |= self.ports.purge_before(generation);
        self.report_cuts(&cuts);
        Interrupted {
            generation,
            position_ms: current.map_or(0, |(_, position_ms)| position_ms),
            utterance: current.map(|(id, _)| id),
        }
    }

    fn look_at_watchers(&mut self, now: Instant) {
        let watching = self.ports.count_watching(now);
        self.shared.watchers.store(watching, Release);
        let watched = watching > 0;
        if std::mem::replace(&mut self.watched, watched) != watched {
            self.asked = false;
            self.emit(StageEvent::Watched(watched));
        }
    }

    fn may_speak(&self) -> bool {
        self.watched && !self.paused && self.holds_tenure()
    }

    fn may_pass_unseen(&self) -> bool {
        !self.watched && !self.paused && self.spec.when_unwatched == WhenUnwatched::Continue
    }

    /// When to be called again; goes to sleep when nobody would notice.
    fn pace(&mut self, now: Instant, backstage: &mut Backstage) -> Pace {
        if self.may_sleep() {
            self.scene.leave(&mut props(backstage));
            self.soundtrack.rest();
            self.speech.rest();
            self.shared.asleep.store(true, SeqCst);
            // Live sound that arrived before the flag was up has sent no wake.
            if self.may_sleep() {
                self.sleeping = true;
                return Pace::Asleep;
            }
        }
        if self.sleeping {
            self.clock.catch_up(now);
        }
        self.shared.asleep.store(false, SeqCst);
        self.sleeping = false;
        Pace::At(self.clock.due())
    }

    /// Whether the frames to come are seen by nobody and move no speech.
    fn may_sleep(&self) -> bool {
        if self.watched {
            // Recordings want speech alone.
            return !self.ports.has_live()
                && !self.in_run
                && !self.speech.has_speech()
                && self.speech.current().is_none();
        }
        // An outlet that does not read is looked at again every frame.
        let passes = self.may_pass_unseen() && (self.speech.has_speech() || self.speech.current().is_some());
        self.ports.is_empty() && !passes
    }

    /// Whether a reader's wish for an IDR is granted now, for a frame in which something is said or not.
    fn wants_idr(&mut self, speaking: bool, now: Instant, backstage: &Backstage) -> bool {
        if std::mem::take(&mut self.purged) {
            return true;
        }
        let wanted = self.scene.can_force_idr() && self.ports.want_idr(speaking);
        let granted = wanted
            && self.idr_forced_at.is_none_or(|forced| now.saturating_duration_since(forced) >= FORCED_IDR_INTERVAL);
        if granted {
            self.idr_forced_at = Some(now);
            WorkerStats::count(&backstage.stats.forced_idrs, 1);
        }
        granted
    }

    fn push_silence(&mut self) -> Result<(), StageError> {
        let at = self.media_samples();
        self.soundtrack.push_silence(self.spec.samples_per_frame(), at, &mut self.packets)?;
        self.hand_out_audio();
        Ok(())
    }

    fn video_unit(&self, picture: EncodedVideo, active: bool) -> VideoUnit {
        let samples = self.spec.samples_per_frame() as u64;
        let pts_us = micros(self.media_samples());
        VideoUnit {
            data: picture.data,
            idr: picture.idr,
            pts_us,
            duration_us: (micros(self.media_samples() + samples) - pts_us) as u32,
            generation: self.shared.generation.load(Acquire),
            active,
            discontinuity: false,
        }
    }

    fn hand_out_video(&mut self, unit: VideoUnit, backstage: &Backstage) {
        let now = Instant::now();
        if !self.shared.tenure.holds(now) {
            self.withheld = true;
            return;
        }
        self.ports.offer_video(unit, self.spec.samples_per_frame() as u64, now);
        let stats = &backstage.stats;
        WorkerStats::count(&stats.frames, 1);
        stats.lateness.record(self.clock.lateness(now));
        stats.hand_out.record(now.elapsed());
    }

    fn hand_out_audio(&mut self) {
        let now = Instant::now();
        if !self.shared.tenure.holds(now) {
            self.withheld = true;
            self.packets.clear();
            return;
        }
        let generation = self.shared.generation.load(Acquire);
        for mut packet in self.packets.drain(..) {
            packet.generation = generation;
            self.ports.offer_audio(&packet, now);
        }
    }

    fn media_samples(&self) -> u64 {
        self.clock.frame() * self.spec.samples_per_frame() as u64
    }

    fn count_stalls(&self, frames: u64, stats: &WorkerStats) {
        self.shared.stalls.fetch_add(frames, AcqRel);
        WorkerStats::count(&stats.stalls, frames);
    }

    fn tell_of_gesture(&mut self) {
        if let Some(gesture) = self.scene.take_begun_gesture() {
            self.emit(StageEvent::GestureStarted { gesture: gesture.name.clone() });
        }
    }

    /// `counted`: what the gate has counted for this frame.
    fn report_spoken(&self, spoken: Spoken, counted: Units) {
        if let Some(utterance) = spoken.started {
            let generation = self.shared.generation.load(Acquire);
            let units = self.gate.used().saturating_sub(counted);
            self.emit(StageEvent::UtteranceStarted { utterance, generation, units });
        }
        if let Some((utterance, position_ms)) = spoken.ended {
            self.emit(StageEvent::UtteranceEnded { utterance, position_ms, outcome: UtteranceOutcome::Completed });
        }
    }

    fn report_cuts(&self, cuts: &[Cut]) {
        for &Cut { utterance, position_ms } in cuts {
            self.emit(StageEvent::UtteranceEnded { utterance, position_ms, outcome: UtteranceOutcome::Interrupted });
        }
    }

    fn emit(&self, event: StageEvent) {
        (self.sink)(event);
    }
}

impl Drop for Performer {
    fn drop(&mut self) {
        // However it ended: its handles must not wait for answers.
        self.shared.closed.store(true, Release);
        self.shared.speaking.store(false, Release);
    }
}

fn props(backstage: &mut Backstage) -> Props<'_> {
    Props { cameras: &mut backstage.cameras, stats: &backstage.stats }
}
