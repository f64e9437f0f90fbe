//! What the meter does every tick and every second.

use std::collections::HashMap;
use std::sync::Arc;

use actix::Addr;
use footlight_ledger::{AccountId, Command};
use footlight_session::Moment;
use footlight_session::meter::{Answer, RequestKind};
use footlight_store::StoreError;

use super::actor::{Hint, MeterActor};
use super::messages::{Answered, Key};
use crate::metrics::Metrics;

impl MeterActor {
    /// Touches every line, and pumps every account, whose deadline has come.
    pub(super) fn turn_wheels(&mut self, now: Moment) {
        let mut due = Vec::new();
        self.wheel.pop(now, |at, key| due.push((at, key)));
        for (at, key) in due {
            let Some(line) = self.lines.get_mut(&key) else { continue };
            if line.wheel_at == at {
                line.wheel_at = Moment::NEVER;
                self.touch(key);
            }
        }
        let mut due = Vec::new();
        self.account_wheel.pop(now, |at, account| due.push((at, account)));
        for (at, account) in due {
            let Some(lines) = self.accounts.get_mut(&account) else { continue };
            if lines.wheel_at == at {
                lines.wheel_at = Moment::NEVER;
                if lines.queue.poll_at() <= now {
                    self.pump(now, account, Hint::None);
                } else {
                    self.schedule_account(account);
                }
            }
        }
    }

    /// Sends what is due of the lines that were touched, one batch per account.
    pub(super) fn round(&mut self, now: Moment, meter: Addr<Self>) {
        if self.touched.is_empty() {
            return;
        }
        let mut batches: HashMap<AccountId, Batch> = HashMap::new();
        for key in std::mem::take(&mut self.touched) {
            let Some(line) = self.lines.get_mut(&key) else { continue };
            line.is_touched = false;
            let grace_over = line.clock.check_grace(now, &line.gate, &self.options.clock);
            let others_wait = self.accounts.get(&line.account).is_some_and(|lines| lines.queue.others_wait(key));
            if let Some(request) = line.clock.poll(now, &line.gate, others_wait, &self.options.clock) {
                let batch = batches.entry(line.account).or_default();
                batch.names.push((key, request.number));
                batch.commands.push((line.account, request.command(line.session)));
                self.figures.sent += 1;
                let is_last = matches!(request.kind, RequestKind::End(_)) || line.clock.is_leaving();
                if let (true, Some(slot)) = (is_last, line.slot) {
                    self.progress.record(slot, request.units, line.position_ms(request.units));
                }
            }
            let deadline = line.clock.next_deadline(others_wait, &self.options.clock);
            if deadline < line.wheel_at {
                line.wheel_at = deadline.max(now);
                self.wheel.push(line.wheel_at, key);
            }
            self.place(now, key);
            self.pass_on(key, grace_over);
        }
        if batches.is_empty() {
            return;
        }
        self.last_sent = now;
        self.figures.batches += batches.len() as u64;
        for batch in batches.into_values() {
            let (desk, meter, metrics) = (self.desk.clone(), meter.clone(), Arc::clone(&self.metrics));
            actix_rt::spawn(async move {
                let outcomes = desk.submit_many(batch.commands).await;
                if let Some(error) = outcomes.iter().find_map(|outcome| outcome.as_ref().err()) {
                    told(error, &metrics);
                }
                let answers = batch.names.into_iter().zip(outcomes);
                let answers = answers.map(|((key, number), outcome)| (key, number, answer(outcome))).collect();
                // As many answers as there were requests, and one request per session.
                meter.do_send(Answered(answers));
            });
        }
    }

    /// Notes how far every session that may speak has come, and which of them do not.
    pub(super) fn write_progress(&mut self, now: Moment) {
        let mut silent = Vec::new();
        for key in &self.holding {
            let Some(line) = self.lines.get_mut(key) else { continue };
            let used = line.gate.used();
            if used == line.seen_units {
                silent.push(*key);
                continue;
            }
            line.seen_units = used;
            line.clock.speak();
            if let Some(slot) = line.slot {
                self.progress.record(slot, used, line.position_ms(used));
            }
        }
        for key in silent {
            // Counted frames are the truth: whatever a renderer said or did not say, nothing moves.
            if let Some(line) = self.lines.get_mut(&key) {
                line.clock.stands_still(now, self.options.hold_after_speech);
            }
            self.touch(key);
        }
    }

    pub(super) fn count(&mut self, answer: &Answer) {
        match answer {
            Answer::Settled(_) => {
                self.figures.settled += 1;
                self.metrics.heartbeats.with_label_values(&["settled"]).inc();
            }
            Answer::Refused(_) => self.metrics.heartbeats.with_label_values(&["refused"]).inc(),
            Answer::Unreachable => {
                self.figures.unreachable += 1;
                self.metrics.heartbeats.with_label_values(&["unreachable"]).inc();
            }
        }
    }
}

/// What one account is sent in one round.
#[derive(Default)]
struct Batch {
    names: Vec<(Key, u64)>,
    commands: Vec<(AccountId, Command)>,
}

fn answer(outcome: Result<footlight_ledger::Outcome, StoreError>) -> Answer {
    match outcome {
        Ok(outcome) => outcome.into(),
        Err(_) => Answer::Unreachable,
    }
}

/// Counts a batch that failed: one call of the store, however many sessions share it.
fn told(error: &StoreError, metrics: &Metrics) {
    metrics.store_failed(error);
    if !error.is_transport() {
        // The store is there and cannot do it (full, corrupt, clocks apart). For the sessions that is the same: it is
        // asked again, within their grace.
        tracing::error!(%error, "the store refuses heartbeats");
    }
}
