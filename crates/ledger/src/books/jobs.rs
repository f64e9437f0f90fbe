//! One-time work: credits are set aside before it and spent or given back after it.

use super::{Books, JobHold};
use crate::{EntryKind, JobId, Microcredits, Outcome, Part, Refusal, Terms};

impl Books {
    /// Sets credits aside. Jobs are paid from grants only: overage is for sessions that would stop in the middle
    /// of a word.
    pub(super) fn hold_job(&mut self, terms: &Terms, job: JobId, amount: Microcredits) -> Result<Outcome, Refusal> {
        match self.jobs.get(&job) {
            Some(JobHold::Held { amount: held, .. }) if *held == amount => {
                return Ok(Outcome::JobHeld { amount });
            }
            Some(JobHold::Held { .. }) => return Err(Refusal::NameTaken),
            Some(JobHold::Settled { .. }) => return Err(closed("settled")),
            Some(JobHold::Released { .. }) => return Err(closed("released")),
            None => {}
        }
        if amount <= Microcredits::ZERO {
            return Err(Refusal::OutOfRange { what: format!("a job's price of {amount} credits") });
        }
        self.account.check_may_start()?;
        let available = self.account.totals.available;
        if amount > available {
            return Err(Refusal::CreditsExhausted { available, needed: amount });
        }
        let mut parts = Vec::new();
        self.account.hold(amount, &mut parts);
        self.account.write(EntryKind::JobHeld { job, parts: parts.clone() });
        let sweep_at = self.account.now.plus_ms(terms.job_ms);
        self.put_job(job, JobHold::Held { amount, parts, sweep_at });
        Ok(Outcome::JobHeld { amount })
    }

    pub(super) fn settle_job(&mut self, job: JobId) -> Result<Outcome, Refusal> {
        let (amount, parts) = match self.jobs.get(&job).ok_or(Refusal::UnknownJob)? {
            JobHold::Held { amount, parts, .. } => (*amount, parts.clone()),
            JobHold::Settled { amount } => return Ok(Outcome::JobSettled { amount: *amount }),
            JobHold::Released { .. } => return Err(closed("released")),
        };
        for part in &parts {
            self.account.spend_held(*part);
        }
        self.account.write(EntryKind::JobSettled { job, parts });
        self.put_job(job, JobHold::Settled { amount });
        Ok(Outcome::JobSettled { amount })
    }

    pub(super) fn release_job(&mut self, job: JobId) -> Result<Outcome, Refusal> {
        let (amount, parts) = match self.jobs.get(&job).ok_or(Refusal::UnknownJob)? {
            JobHold::Held { amount, parts, .. } => (*amount, parts.clone()),
            JobHold::Released { amount } => return Ok(Outcome::JobReleased { amount: *amount }),
            JobHold::Settled { .. } => return Err(closed("settled")),
        };
        self.give_job_back(job, amount, parts);
        Ok(Outcome::JobReleased { amount })
    }

    /// Gives back what is held for work that never ended.
    pub(super) fn sweep_jobs(&mut self, jobs: &[JobId]) -> Outcome {
        let mut released = Vec::new();
        for &job in jobs {
            if let Some(JobHold::Held { amount, parts, sweep_at }) = self.jobs.get(&job)
                && *sweep_at <= self.account.now
            {
                let (amount, parts) = (*amount, parts.clone());
                self.give_job_back(job, amount, parts);
                released.push(job);
            }
        }
        Outcome::JobsSwept { released }
    }

    fn give_job_back(&mut self, job: JobId, amount: Microcredits, parts: Vec<Part>) {
        self.account.give_back(&parts);
        self.account.write(EntryKind::JobReleased { job, parts });
        self.put_job(job, JobHold::Released { amount });
    }

    fn put_job(&mut self, job: JobId, hold: JobHold) {
        self.dirty.jobs.insert(job);
        self.jobs.insert(job, hold);
    }
}

fn closed(state: &str) -> Refusal {
    Refusal::JobClosed { state: state.to_owned() }
}
