//! What flies when: one batch in flight per account, the rest waits and becomes the next one. An account that other nodes
//! write too rests between its flights, longer from conflict to conflict, so that nobody is starved.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use footlight_ledger::AccountId;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::cache::Cache;
use super::flight::{self, Passage};
use super::types::{Ground, Group, Landing};

/// Groups taken from the channel at once.
const INTAKE: usize = 1_024;

/// One account that has something to do, or rests.
#[derive(Default)]
struct Line {
    waiting: VecDeque<Group>,
    /// In flight, or resting after it.
    away: bool,
    /// How long it rested last; zero while no other node writes it.
    rest: Duration,
}

pub(super) struct Queue {
    ground: Arc<Ground>,
    lines: HashMap<AccountId, Line>,
    /// Accounts that wait and are not away, first come first served.
    ready: VecDeque<AccountId>,
    /// Accounts that rest, and until when.
    resting: BTreeSet<(Instant, AccountId)>,
    /// Groups in all lines.
    waiting: usize,
    cache: Cache,
    flights: usize,
    landed: mpsc::UnboundedSender<Vec<Landing>>,
    landings: mpsc::UnboundedReceiver<Vec<Landing>>,
}

impl Queue {
    pub(super) fn new(ground: Arc<Ground>) -> Self {
        // Unbounded, because there is one landing per batch in flight.
        let (landed, landings) = mpsc::unbounded_channel();
        Self {
            cache: Cache::new(ground.options.cached_tabs),
            ground,
            lines: HashMap::new(),
            ready: VecDeque::new(),
            resting: BTreeSet::new(),
            waiting: 0,
            flights: 0,
            landed,
            landings,
        }
    }

    /// Runs until every handle is gone and everything is answered.
    pub(super) async fn run(mut self, mut submitted: mpsc::Receiver<Group>) {
        let mut intake = Vec::new();
        let mut open = true;
        while open || self.is_busy() {
            let room = self.waiting < self.ground.options.queued_groups;
            let rested = self.resting.first().map(|(until, _)| *until);
            tokio::select! {
                biased;
                Some(landings) = self.landings.recv() => self.land(landings),
                () = sleep_until(rested.unwrap_or_else(Instant::now)), if rested.is_some() => self.wake(),
                taken = submitted.recv_many(&mut intake, INTAKE), if open && room => {
                    open = taken > 0;
                    intake.drain(..).for_each(|group| self.queue(group));
                }
            }
            self.depart();
        }
    }

    /// Whether something waits or flies; an account that only rests holds nobody up.
    fn is_busy(&self) -> bool {
        self.waiting > 0 || self.lines.len() > self.resting.len()
    }

    fn queue(&mut self, group: Group) {
        let account = group.account;
        let line = self.lines.entry(account).or_default();
        if line.waiting.is_empty() && !line.away {
            self.ready.push_back(account);
        }
        line.waiting.push_back(group);
        self.waiting += 1;
    }

    /// An empty list says that a flight's slot is free.
    fn land(&mut self, landings: Vec<Landing>) {
        if landings.is_empty() {
            self.flights -= 1;
        }
        for Landing { account, known, conflicts } in landings {
            if let Some(known) = known {
                self.cache.put(account, known);
            }
            let line = self.lines.get_mut(&account).expect("a flying account has a line");
            line.rest = next_rest(&self.ground, line.rest, conflicts);
            if line.rest.is_zero() {
                self.back(account);
            } else {
                self.resting.insert((Instant::now() + self.ground.jittered(line.rest), account));
            }
        }
    }

    /// Takes back the accounts that have rested.
    fn wake(&mut self) {
        let now = Instant::now();
        while let Some(&(until, account)) = self.resting.first()
            && until <= now
        {
            self.resting.pop_first();
            self.back(account);
        }
    }

    /// An account may fly again.
    fn back(&mut self, account: AccountId) {
        let line = self.lines.get_mut(&account).expect("an account that is away has a line");
        line.away = false;
        if line.waiting.is_empty() {
            self.lines.remove(&account);
        } else {
            self.ready.push_back(account);
        }
    }

    /// Sends off what is ready. Batches that must read first fly apart, so that the others need not wait for them.
    fn depart(&mut self) {
        while self.flights < self.ground.options.flights_max && !self.ready.is_empty() {
            let (mut warm, mut cold) = (Vec::new(), Vec::new());
            let mut commands = 0;
            while commands < self.ground.options.flight_max
                && let Some(account) = self.ready.pop_front()
            {
                let passage = self.board(account);
                commands += passage.commands().count();
                if passage.knows_all() { warm.push(passage) } else { cold.push(passage) }
            }
            for passages in [warm, cold].into_iter().filter(|passages| !passages.is_empty()) {
                self.flights += 1;
                tokio::spawn(flight::fly(Arc::clone(&self.ground), passages, self.landed.clone()));
            }
        }
    }

    /// Takes as much of an account's line as fits one commit; at least its first group.
    fn board(&mut self, account: AccountId) -> Passage {
        let line = self.lines.get_mut(&account).expect("a ready account has a line");
        let mut groups = Vec::new();
        let mut commands = 0;
        while let Some(next) = line.waiting.front() {
            if !groups.is_empty() && commands + next.commands.len() > self.ground.options.batch_max {
                break;
            }
            commands += next.commands.len();
            groups.extend(line.waiting.pop_front());
        }
        line.away = true;
        self.waiting -= groups.len();
        Passage::new(account, groups, self.cache.take(account))
    }
}

/// Twice as long after a conflict, half as long without one.
fn next_rest(ground: &Ground, last: Duration, conflicts: u32) -> Duration {
    let shortest = ground.options.backoff / 4;
    if conflicts > 0 {
        (last * 2).max(shortest).min(ground.options.rest_max)
    } else if last > shortest {
        last / 2
    } else {
        Duration::ZERO
    }
}
