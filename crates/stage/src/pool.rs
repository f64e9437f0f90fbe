//! The stage: worker threads and what their performances share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, unbounded};
use footlight_avatar::bundle::Catalogue;
use footlight_session::slice::SliceGate;

use crate::bounds::{AudioBounds, audio_room};
use crate::event::EventSink;
use crate::library::Library;
use crate::performance::Shared;
use crate::performer::{Backstage, Performer};
use crate::room::Room;
use crate::scene::CameraPool;
use crate::stats::WorkerStats;
use crate::worker::{Errand, PerformerKey, Worker};
use crate::{Performance, PerformanceSpec, SAMPLE_RATE, StageError, StageOptions, StageStats, Tenure};

/// Each performance starts this share of a frame after the one before: the golden ratio spreads any number of them
/// evenly over a frame.
const PHASE_STEP: f64 = 0.618_033_988_749_895;

/// Worker threads that perform sessions. Dropping it ends all performances and waits for the threads.
pub struct Stage {
    options: StageOptions,
    library: Arc<Library>,
    workers: Vec<WorkerHandle>,
    opened: AtomicU64,
    started: Instant,
    tenure: Tenure,
    /// For the audio of all performances.
    room: Arc<Room>,
}

struct WorkerHandle {
    errands: Sender<Errand>,
    load: Arc<AtomicU64>,
    stats: Arc<WorkerStats>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Stage {
    /// Starts the worker threads. Loads the face model, so it takes some tenths of a second.
    ///
    /// # Errors
    /// [`StageError::Face`] or [`StageError::Media`] when what ships cannot be used, [`StageError::Thread`] when the system
    /// gives no threads.
    pub fn start(options: StageOptions) -> Result<Self, StageError> {
        Self::start_with(options, Catalogue::default())
    }

    /// As [`start`](Self::start), with avatars beside those that ship.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(options: StageOptions, avatars: Catalogue) -> Result<Self, StageError> {
        let library = Arc::new(Library::new(&options, avatars)?);
        let count = match options.workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let workers = (0..count).map(|index| WorkerHandle::start(index, &library)).collect::<Result<_, _>>()?;
        let (opened, started, tenure) = (AtomicU64::new(0), Instant::now(), Tenure::forever());
        let room = audio_room(options.max_queued_bytes);
        Ok(Self { options, library, workers, opened, started, tenure, room })
    }

    /// Ends all performances and waits for the worker threads.
    pub fn shutdown(self) {
        drop(self);
    }

    /// How long anything may be handed out here. Past it all performances stand still: nothing leaves them, nothing is
    /// counted, and they go on where they were when it holds again.
    #[must_use]
    pub const fn tenure(&self) -> &Tenure {
        &self.tenure
    }

    /// The avatars that performances can ask for.
    #[must_use]
    pub fn avatars(&self) -> &Catalogue {
        &self.library.catalogue
    }

    /// Avatars for all that are loaded: performances that show one of them begin sooner.
    #[must_use]
    pub fn loaded_avatars(&self) -> std::collections::BTreeSet<String> {
        self.library.loaded()
    }

    /// Makes everything that performances of this spec share, idle loop included. Blocks for up to seconds the first time,
    /// so it belongs on a thread of its own; later calls return at once.
    ///
    /// # Errors
    /// Names what is wrong with the spec or its avatar.
    pub fn prepare(&self, spec: &PerformanceSpec) -> Result<(), StageError> {
        self.library.stand(spec).map(drop)
    }

    /// Opens a performance on the least loaded worker. Blocks as [`prepare`](Self::prepare) does unless that was called
    /// before.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn open(
        &self,
        spec: PerformanceSpec,
        gate: Arc<SliceGate>,
        sink: EventSink,
    ) -> Result<Performance, StageError> {
        self.open_as(spec, gate, sink, None)
    }

    /// Opens a performance that goes on where `former`, which broke, stopped: on the same media clock, in a generation
    /// after all of its own. What it still had to say is not taken over.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn open_after(
        &self,
        former: &Performance,
        spec: PerformanceSpec,
        gate: Arc<SliceGate>,
        sink: EventSink,
    ) -> Result<Performance, StageError> {
        self.open_as(spec, gate, sink, Some(former.shared()))
    }

    fn open_as(
        &self,
        spec: PerformanceSpec,
        gate: Arc<SliceGate>,
        sink: EventSink,
        former: Option<&Shared>,
    ) -> Result<Performance, StageError> {
        let stand = self.library.stand(&spec)?;
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let worker = self.least_loaded();
        worker.load.fetch_add(spec.weight_milli(), Ordering::AcqRel);
        let queue_limit = u64::from(self.options.max_queued_audio_s) * u64::from(SAMPLE_RATE);
        let origin = self.phase(number, spec.fps);
        let bounds = AudioBounds { queue_limit, room: Arc::clone(&self.room), account: spec.account };
        let shared = Shared::new(PerformerKey(number), worker.errands.clone(), bounds, origin, self.tenure.clone());
        let shared = Arc::new(match former {
            Some(former) => shared.after(former),
            None => shared,
        });
        let gestures = Arc::clone(&stand.set.gestures);
        let performer = Performer::new(Arc::clone(&shared), spec, gate, sink, stand, &self.library);
        let performance = Performance::new(Arc::clone(&shared), gestures, self.options.outlet_queue_units);
        worker.errands.send(Errand::Open(Box::new(performer), shared)).map_err(|_| StageError::Closed)?;
        Ok(performance)
    }

    /// What the workers did since the start.
    #[must_use]
    pub fn stats(&self) -> StageStats {
        let mut stats = StageStats::default();
        for worker in &self.workers {
            stats.add(&worker.stats);
        }
        stats
    }

    /// How many worker threads there are.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    pub(crate) fn library(&self) -> &Library {
        &self.library
    }

    /// Sends a worker on an errand.
    pub(crate) fn send(&self, worker: usize, errand: Errand) -> Result<(), StageError> {
        self.workers[worker].errands.send(errand).map_err(|_| StageError::Closed)
    }

    fn least_loaded(&self) -> &WorkerHandle {
        self.workers
            .iter()
            .min_by_key(|worker| worker.load.load(Ordering::Acquire))
            .expect("a stage starts with at least one worker")
    }

    /// When a performance's frame 0 is: now, moved on to its own phase of a frame. Phases of all performances, on a grid
    /// that begins with the stage, are spread evenly, so that their frames do not all come due at once.
    fn phase(&self, number: u64, fps: u32) -> Instant {
        let period = Duration::from_secs(1) / fps;
        let shift = period.mul_f64((number as f64 * PHASE_STEP).fract());
        let elapsed = self.started.elapsed().as_nanos() / period.as_nanos();
        self.started + period * u32::try_from(elapsed).unwrap_or(u32::MAX) + shift
    }
}

impl WorkerHandle {
    fn start(index: usize, library: &Arc<Library>) -> Result<Self, StageError> {
        // Unbounded, for a worker must never make a sender wait; each performance bounds what it sends.
        let (errands, received) = unbounded();
        let load = Arc::new(AtomicU64::new(0));
        let stats = Arc::new(WorkerStats::default());
        let backstage =
            Backstage { library: Arc::clone(library), cameras: CameraPool::default(), stats: Arc::clone(&stats) };
        let worker = Worker::new(received, backstage, Arc::clone(&load));
        let thread = thread::Builder::new()
            .name(format!("stage-{index}"))
            .spawn(move || worker.run())
            .map_err(StageError::Thread)?;
        Ok(Self { errands, load, stats, thread: Some(thread) })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for worker in &self.workers {
            let _ = worker.errands.send(Errand::Shutdown);
        }
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take() {
                // A worker catches its performances' panics; one of its own was logged by the panic hook.
                let _ = thread.join();
            }
        }
    }
}
