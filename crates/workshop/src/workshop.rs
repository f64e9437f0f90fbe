//! Workers of this process: they claim jobs as any other worker does, and keep what they make for the account.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use footlight_avatar::bundle::AvatarBundle;
use footlight_jobs::{Claimed, JobEnd, JobError, JobKind, JobState, Jobs};
use footlight_wardrobe::{KeptAvatar, NewAvatar, Replace, Trial, Wardrobe, WardrobeError};
use serde_json::json;
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use crate::bench::{Craft, Made, Task};
use crate::order::{AgentOrder, DynamicsOrder};

/// How often a worker without work looks for some that another node was asked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often the store is told how far a job is: a step at most, and at least, so that one that was cancelled is noticed.
const TELL_EVERY: Duration = Duration::from_millis(250);
const TELL_WITHIN: Duration = Duration::from_secs(2);
/// What takes longer than this to make has got stuck: it is left to itself.
const MAKE_WITHIN: Duration = Duration::from_secs(600);
/// How often a job's end is told to a store that does not answer.
const TRIES_MAX: u32 = 5;
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How far makers stand back for those who speak: the step of `nice`.
const NICE: i32 = 10;
/// Steps that wait to be told; only the last one matters.
const STEPS_MAX: usize = 16;

/// What is worked on here.
const KINDS: [JobKind; 2] = [JobKind::Agent, JobKind::Dynamics];

/// How a workshop is set up.
#[derive(Debug, Clone)]
pub struct WorkshopOptions {
    /// Jobs worked on at once; with 0 they are left to workers elsewhere.
    pub workers: usize,
    /// What to call the workers in jobs.
    pub name: String,
}

/// What a workshop is made of.
pub struct WorkshopParts {
    /// Where jobs come from.
    pub jobs: Jobs,
    /// Where pictures come from and avatars go.
    pub wardrobe: Wardrobe,
    /// Who makes things.
    pub craft: Arc<dyn Craft>,
    /// How it is set up.
    pub options: WorkshopOptions,
}

/// A handle on the workshop. Clones share it; its workers end with the last one.
#[derive(Clone)]
pub struct Workshop {
    inner: Arc<Inner>,
}

struct Inner {
    parts: WorkshopParts,
    knock: Arc<Notify>,
    is_stopped: AtomicBool,
}

impl Workshop {
    /// Starts the workers, on the runtime that this is called in.
    #[must_use]
    pub fn start(parts: WorkshopParts) -> Self {
        let knock = Arc::new(Notify::new());
        let inner = Arc::new(Inner { parts, knock: Arc::clone(&knock), is_stopped: AtomicBool::new(false) });
        for _ in 0..inner.parts.options.workers {
            tokio::spawn(work(Arc::downgrade(&inner), Arc::clone(&knock)));
        }
        Self { inner }
    }

    /// Says that there is work: it is begun at once instead of at the next look.
    pub fn knock(&self) {
        self.inner.knock.notify_one();
    }

    /// Begins no further job. What is being made is finished if there is time; else another node begins it again.
    pub fn stop(&self) {
        self.inner.is_stopped.store(true, Ordering::Release);
    }

    /// Whether jobs are worked on here at all.
    pub(crate) fn works(&self) -> bool {
        self.inner.parts.options.workers > 0
    }

    pub(crate) fn wardrobe(&self) -> &Wardrobe {
        &self.inner.parts.wardrobe
    }
}

/// One worker, until the workshop is gone.
async fn work(workshop: Weak<Inner>, knock: Arc<Notify>) {
    loop {
        let Some(inner) = workshop.upgrade().filter(|inner| !inner.is_stopped.load(Ordering::Acquire)) else { return };
        match inner.parts.jobs.claim(&KINDS, &inner.parts.options.name).await {
            Ok(Some(claimed)) => {
                inner.do_job(claimed).await;
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "no jobs can be claimed for now"),
        }
        // Nothing is held while there is nothing to do.
        drop(inner);
        // Whether by a knock or by time: it is looked again.
        let _ = tokio::time::timeout(LOOK_EVERY, knock.notified()).await;
    }
}

/// Where what is made goes.
struct Place {
    replace: Replace,
    /// Whether it is made of an avatar that all may show.
    is_copy: bool,
}

/// Why a job is not finished here.
enum Setback {
    /// It cannot be done by anybody.
    Impossible(String),
    /// Not now: it is left to lapse, and somebody claims it again.
    Later(String),
    /// It is somebody else's by now.
    Lost,
}

impl From<WardrobeError> for Setback {
    fn from(error: WardrobeError) -> Self {
        match error {
            WardrobeError::Store(error) => Self::Later(error.to_string()),
            error => Self::Impossible(error.to_string()),
        }
    }
}

impl From<JobError> for Setback {
    fn from(error: JobError) -> Self {
        match error {
            JobError::ClaimLost | JobError::NotFound => Self::Lost,
            error => Self::Later(error.to_string()),
        }
    }
}

impl Inner {
    async fn do_job(&self, claimed: Claimed) {
        let (job, kind) = (claimed.job.id, claimed.job.kind);
        let done = match self.make_and_keep(&claimed).await {
            Ok(trial) => {
                let (wardrobe, account) = (&self.parts.wardrobe, claimed.job.account);
                let told = self.tell_end(&claimed, Ok(result_of(&trial.kept))).await;
                match &told {
                    Ok(()) => wardrobe.confirm(account, &trial).await,
                    // Cancelled, or its time was over, in the last moment: what is not paid for is not kept.
                    Err(Setback::Lost) => {
                        if let Err(error) = wardrobe.take_back(account, &trial).await {
                            tracing::warn!(%error, %job, "what was not paid for could not be taken back");
                        }
                    }
                    Err(_) => {}
                }
                told
            }
            Err(Setback::Impossible(why)) => self.tell_end(&claimed, Err(why)).await,
            Err(setback) => Err(setback),
        };
        match done {
            Ok(()) => tracing::info!(%job, %kind, "a job was worked off"),
            Err(Setback::Lost) => tracing::info!(%job, %kind, "a job was taken away while it was worked on"),
            Err(Setback::Later(why) | Setback::Impossible(why)) => {
                tracing::warn!(%job, %kind, why, "a job is left for a later worker");
            }
        }
    }

    async fn make_and_keep(&self, claimed: &Claimed) -> Result<Trial, Setback> {
        let (account, job) = (claimed.job.account, &claimed.job);
        let (task, place) = self.task(claimed).await?;
        let made = self.make(claimed, task).await?;
        let Place { replace, is_copy } = place;
        let (bundle, preview) = (made.bundle, Some(made.preview));
        let new = NewAvatar { bundle, preview, job: Some(job.id), is_copy, replace };
        let checked = self.parts.wardrobe.check(new).await?;
        // Looked at once more before anything is kept: it may have been cancelled while it was made.
        self.parts.jobs.progress(job.id, claimed.claim, 95, "keeping it").await?;
        Ok(self.parts.wardrobe.put_on_trial(account, checked).await?)
    }

    /// What is to be made, with everything that it takes, and whose place it may take.
    async fn task(&self, claimed: &Claimed) -> Result<(Task, Place), Setback> {
        let (account, input) = (claimed.job.account, &claimed.job.input);
        let impossible = |fault: crate::OrderFault| Setback::Impossible(fault.to_string());
        let parts = &self.parts;
        match claimed.job.kind {
            JobKind::Agent => {
                let order = AgentOrder::read(input).map_err(impossible)?;
                let picture = parts.wardrobe.picture(account, order.picture_id().map_err(impossible)?).await?;
                let replace = if order.replace { Replace::Whichever } else { Replace::Nothing };
                Ok((Task::Agent(order, picture), Place { replace, is_copy: false }))
            }
            JobKind::Dynamics => {
                let order = DynamicsOrder::read(input).map_err(impossible)?;
                let kept = parts.wardrobe.get(account, &order.avatar).await.map_err(WardrobeError::from)?;
                let own = parts.wardrobe.open(account, &order.avatar).await.map_err(WardrobeError::from)?;
                let is_copy = kept.is_none_or(|kept| kept.is_copy);
                let (shared, name) = (parts.wardrobe.shared().clone(), order.avatar.clone());
                // One's own avatar gets its gestures in its place, unless it became another meanwhile.
                let replace = match &own {
                    Some(own) if order.replaces_itself() => Replace::Edition(Uuid::from_u128(own.edition)),
                    _ => Replace::Nothing,
                };
                let open = move || match own {
                    Some(own) => AvatarBundle::from_bytes(&own.bytes),
                    None => shared.open(&name),
                };
                let opened = tokio::task::spawn_blocking(open).await;
                let bundle = opened
                    .map_err(|error| Setback::Later(error.to_string()))?
                    .map_err(|error| Setback::Impossible(error.to_string()))?;
                Ok((Task::Dynamics(order, Box::new(bundle)), Place { replace, is_copy }))
            }
            JobKind::Book => unreachable!("only what is made here is claimed"),
        }
    }

    /// Makes it on a thread of its own, and says meanwhile how far it is.
    async fn make(&self, claimed: &Claimed, task: Task) -> Result<Made, Setback> {
        let (steps, mut told) = mpsc::channel::<(u8, String)>(STEPS_MAX);
        let craft = Arc::clone(&self.parts.craft);
        let (made, mut ready) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("workshop".to_owned()).spawn(move || {
            stand_back();
            let mut tell = |percent: u8, note: &str| {
                // When nobody has told the former ones yet, this one is not missed.
                let _ = steps.try_send((percent, note.to_owned()));
            };
            let result = catch_unwind(AssertUnwindSafe(|| craft.make(task, &mut tell)));
            let _ = made.send(result.unwrap_or_else(|_| Err("making it broke off by a fault of ours".to_owned())));
        });
        thread.map_err(|error| Setback::Later(format!("there is no thread for it: {error}")))?;
        let keep = (self.parts.jobs.lease() / 3).clamp(TELL_EVERY, TELL_WITHIN);
        let stuck_at = tokio::time::Instant::now() + MAKE_WITHIN;
        let (mut percent, mut note) = (0, "reading it".to_owned());
        let mut lost = None;
        loop {
            let news = tokio::select! {
                biased;
                result = &mut ready => {
                    let result = result.unwrap_or_else(|_| Err("making it broke off by a fault of ours".to_owned()));
                    // What was made under a claim that is lost is not kept: another makes it again.
                    return lost.map_or(result.map_err(Setback::Impossible), Err);
                }
                Some(step) = told.recv() => Some(step),
                () = tokio::time::sleep(keep) => None,
                () = tokio::time::sleep_until(stuck_at) => {
                    return Err(Setback::Impossible("making it took too long".to_owned()));
                }
            };
            if let Some(step) = news {
                (percent, note) = step;
                while let Ok(step) = told.try_recv() {
                    (percent, note) = step;
                }
            }
            if lost.is_none() {
                match self.parts.jobs.progress(claimed.job.id, claimed.claim, percent, &note).await {
                    Err(JobError::ClaimLost | JobError::NotFound) => lost = Some(Setback::Lost),
                    // The lease is a minute: the store may be back before it is over.
                    Err(error) => tracing::debug!(%error, "how far a job is cannot be told for now"),
                    Ok(_) => {}
                }
            }
            tokio::time::sleep(TELL_EVERY).await;
        }
    }

    /// Tells the end of a job, again if the answer gets lost: it is done once.
    async fn tell_end(&self, claimed: &Claimed, result: Result<String, String>) -> Result<(), Setback> {
        let (job, claim) = (claimed.job.id, claimed.claim);
        let mut told = Ok(());
        for _ in 0..TRIES_MAX {
            let ended = match result.clone() {
                Ok(result) => self.parts.jobs.complete(job, claim, result).await,
                Err(why) => self.parts.jobs.fail(job, claim, why).await,
            };
            told = match ended {
                // Its time was over, or its credits had been given back: it is not paid for.
                Ok(job) if result.is_ok() && job.state != JobState::Over(JobEnd::Done) => Err(Setback::Lost),
                ended => ended.map(drop).map_err(Setback::from),
            };
            if !matches!(told, Err(Setback::Later(_))) {
                break;
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
        told
    }
}

/// What the account is told of what was made.
fn result_of(kept: &KeptAvatar) -> String {
    json!({ "avatar": kept.name, "gestures": kept.gestures }).to_string()
}

/// Lets the threads that perform sessions go before the calling one, for good. Making an avatar takes seconds of a core; a frame
/// has 40 ms. Elsewhere than on Linux this is the whole process's, so it is left alone there.
#[cfg(target_os = "linux")]
pub fn stand_back() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "a thread that should stand back works at the usual priority");
    }
}

/// Does nothing: here it would be the whole process that lets others go first.
#[cfg(not(target_os = "linux"))]
pub fn stand_back() {}
