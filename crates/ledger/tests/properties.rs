//! Random commands against the ledger: whatever is asked, in whatever order, how often, and whatever the clock says.
//!
//! Beside the machine runs a second, much simpler opinion of what each session owes: the price of the units that
//! it reported and was permitted. The journal is audited after every command.

use std::collections::BTreeMap;

use footlight_ledger::*;
use proptest::prelude::*;
use uuid::Uuid;

const SESSIONS: u128 = 5;
const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
const START: Timestamp = Timestamp(1_769_855_400_000);

/// What a command is made from when its turn comes: numbers and units are told relative to what went before.
#[derive(Debug, Clone)]
enum Step {
    Wait(i64),
    Grant {
        name: u8,
        kind: GrantKind,
        amount: i64,
        expires_in: Option<i64>,
    },
    Void {
        name: u8,
        grant: u8,
        amount: i64,
    },
    Plan {
        change: u8,
        credits: i64,
        months: u8,
        max_sessions: u32,
        how: u8,
    },
    SpendingLimit {
        secret: u8,
        limit: Option<(i64, bool)>,
    },
    Limits {
        debt: i64,
        overage: i64,
    },
    Status {
        suspended: bool,
    },
    Begin {
        session: u128,
        pricing: u8,
        secret: u8,
        owner: u128,
    },
    Beat {
        session: u128,
        number: i64,
        epoch: i64,
        report: Reported,
        ask: Ask,
    },
    End {
        session: u128,
        number: i64,
        report: Reported,
    },
    Cut {
        session: u128,
    },
    TakeOver {
        session: u128,
        owner: u128,
        report: Reported,
    },
    Sweep {
        report: Reported,
    },
    Job {
        job: u128,
        act: u8,
        amount: i64,
    },
    SweepJobs,
    /// An old command comes again.
    Again {
        back: usize,
    },
}

/// Units that a session says it used.
#[derive(Debug, Clone, Copy)]
enum Reported {
    /// So many percent of the slice.
    OfSlice(u64),
    /// So many percent of slice and grace.
    OfPermitted(u64),
    /// Less than is settled.
    Back(u64),
    Anything(u64),
}

fn reported() -> impl Strategy<Value = Reported> {
    prop_oneof![
        6 => (0..=100_u64).prop_map(Reported::OfSlice),
        3 => Just(Reported::OfSlice(100)),
        2 => (0..=110_u64).prop_map(Reported::OfPermitted),
        1 => (0..1_000_u64).prop_map(Reported::Back),
        1 => any::<u64>().prop_map(Reported::Anything),
    ]
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![0..200_000_i64, 0..5_000_000_i64, Just(33_334), Just(2_000_000)]
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![Just(GrantKind::Plan), Just(GrantKind::Promo), Just(GrantKind::TopUp)];
    let ask = prop_oneof![5 => Just(Ask::Slice), 1 => Just(Ask::Keep), 2 => Just(Ask::Release)];
    let wait = prop_oneof![
        5 => 0..2 * MINUTE,
        2 => 0..DAY,
        1 => 0..40 * DAY,
        1 => -DAY..0,
    ];
    let number = prop_oneof![8 => Just(1_i64), 1 => Just(0), 1 => Just(-1), 1 => 2..9_i64];
    let epoch = prop_oneof![12 => Just(0_i64), 1 => Just(-1), 1 => Just(1)];
    prop_oneof![
        6 => wait.prop_map(Step::Wait),
        4 => (any::<u8>(), kind, amount(), prop::option::of(1..60 * DAY))
            .prop_map(|(name, kind, amount, expires_in)| Step::Grant { name, kind, amount, expires_in }),
        1 => (any::<u8>(), any::<u8>(), amount()).prop_map(|(name, grant, amount)| Step::Void { name, grant, amount }),
        2 => (any::<u8>(), amount(), prop_oneof![2 => Just(1_u8), 1 => Just(12)], 0..6_u32, 0..8_u8).prop_map(
            |(change, credits, months, max_sessions, how)| Step::Plan { change, credits, months, max_sessions, how }
        ),
        1 => (0..3_u8, prop::option::weighted(0.8, (amount(), any::<bool>())))
            .prop_map(|(secret, limit)| Step::SpendingLimit { secret, limit }),
        1 => (amount(), prop_oneof![2 => Just(0), 1 => amount()]).prop_map(|(debt, overage)| Step::Limits { debt, overage }),
        1 => prop::bool::weighted(0.3).prop_map(|suspended| Step::Status { suspended }),
        5 => (0..SESSIONS, 0..6_u8, 0..3_u8, 1..3_u128)
            .prop_map(|(session, pricing, secret, owner)| Step::Begin { session, pricing, secret, owner }),
        20 => (0..SESSIONS, number.clone(), epoch, reported(), ask)
            .prop_map(|(session, number, epoch, report, ask)| Step::Beat { session, number, epoch, report, ask }),
        2 => (0..SESSIONS, number, reported()).prop_map(|(session, number, report)| Step::End { session, number, report }),
        1 => (0..SESSIONS).prop_map(|session| Step::Cut { session }),
        2 => (0..SESSIONS, 1..4_u128, reported())
            .prop_map(|(session, owner, report)| Step::TakeOver { session, owner, report }),
        2 => reported().prop_map(|report| Step::Sweep { report }),
        3 => (0..3_u128, 0..4_u8, amount()).prop_map(|(job, act, amount)| Step::Job { job, act, amount }),
        1 => Just(Step::SweepJobs),
        4 => (0..40_usize).prop_map(|back| Step::Again { back }),
    ]
}

/// The second opinion on one session.
#[derive(Debug, Clone, Default)]
struct Opinion {
    settled: Units,
    permitted: Units,
    /// What each number of each epoch was answered.
    answers: BTreeMap<(u32, u64), SliceAnswer>,
}

struct World {
    books: Books,
    terms: Terms,
    now: Timestamp,
    entries: Vec<Entry>,
    commands: Vec<Command>,
    opinions: BTreeMap<SessionId, Opinion>,
    /// What sessions that are forgotten have cost.
    forgotten: Microcredits,
}

impl World {
    fn new() -> Self {
        let limits = Limits { debt: Microcredits(500_000), overage: Microcredits::ZERO };
        Self {
            books: Books::new(Account::open(AccountId(Uuid::from_u128(9)), START, limits)),
            terms: Terms::default(),
            now: START,
            entries: Vec::new(),
            commands: Vec::new(),
            opinions: BTreeMap::new(),
            forgotten: Microcredits::ZERO,
        }
    }

    fn perform(&mut self, step: &Step) {
        if let Step::Wait(ms) = step {
            self.now = self.now.plus_ms(*ms);
        }
        let Some(command) = self.command(step) else { return };
        self.apply(&command);
        self.commands.push(command);
    }

    fn apply(&mut self, command: &Command) {
        let before = self.books.clone();
        let applied = self.books.apply(&self.terms, self.now, command);
        let again = {
            let mut books = self.books.clone();
            let again = books.apply(&self.terms, self.now, command);
            (again, books)
        };
        let changes = self.books.take_changes();
        self.entries.extend(changes.entries.iter().cloned());
        self.check_changes(&before, &changes);
        self.check_refusal(&before, &applied.outcome);
        self.check_repeat(command, &applied.outcome, again);
        self.check_heartbeat(&before, command, &applied.outcome);
        self.check_charges(&before, command, &applied.outcome);
        self.check_plan(&before, command, &applied.outcome);
        self.check_budget(&before, command, &applied.outcome);
        self.check_audit();
        self.check_written_form(command, &applied.outcome);
    }

    /// A store that writes only the changes holds the same books.
    fn check_changes(&self, before: &Books, changes: &Changes) {
        let mut stored = Books::new(changes.account.clone());
        (stored.tabs, stored.names, stored.jobs) = (before.tabs.clone(), before.names.clone(), before.jobs.clone());
        for (session, tab) in &changes.tabs {
            match tab {
                Some(tab) => stored.tabs.insert(*session, tab.clone()),
                None => stored.tabs.remove(session),
            };
        }
        stored.names.extend(changes.names.clone());
        stored.jobs.extend(changes.jobs.clone());
        assert_eq!(stored, self.books);
    }

    /// What is refused changes nothing but time.
    fn check_refusal(&self, before: &Books, outcome: &Outcome) {
        if let Outcome::Refused(_) = outcome {
            let mut touched = before.clone();
            let _ = touched.apply(&self.terms, self.now, &Command::Touch);
            touched.take_changes();
            assert_eq!(touched, self.books);
        }
    }

    /// The same command at once again: the same answer, and nothing changes.
    fn check_repeat(&self, command: &Command, outcome: &Outcome, (again, after): (Applied, Books)) {
        match (command, outcome, &again.outcome) {
            (Command::Grant { .. }, Outcome::Granted { grant, amount, .. }, _) => {
                let replayed = Outcome::Granted { grant: *grant, amount: *amount, replayed: true };
                assert_eq!(again.outcome, replayed);
            }
            (Command::CutSession { .. }, Outcome::Ended(_), over) => {
                assert!(matches!(over, Outcome::Refused(Refusal::SessionEnded { .. })), "{over:?}");
            }
            // What was swept once is not there to be swept again.
            (Command::Sweep { .. } | Command::SweepJobs { .. }, ..) => {}
            _ => assert_eq!(*outcome, again.outcome),
        }
        let mut after = after;
        after.take_changes();
        assert_eq!(after, self.books);
    }

    fn check_heartbeat(&self, before: &Books, command: &Command, outcome: &Outcome) {
        let (Command::Heartbeat { session, ask, number, epoch, .. }, Outcome::Heartbeat(answer)) = (command, outcome)
        else {
            return;
        };
        let is_repeat =
            self.opinions.get(session).is_some_and(|opinion| opinion.answers.contains_key(&(*epoch, *number)));
        if is_repeat || answer.verdict == Verdict::Closed {
            return;
        }
        let (tab, totals) = (&before.tabs[session], self.books.account.totals);
        let longest = tab.pricing.units_in(self.terms.heartbeat_ms).max(1);
        if *ask != Ask::Release {
            assert!(answer.slice_end >= tab.slice_end, "a slice shrank: {answer:?}");
        }
        assert!(answer.slice_end <= tab.slice_end.max(answer.settled_units + longest), "a slice too long: {answer:?}");
        match answer.verdict {
            Verdict::Granted | Verdict::Final => {
                assert!(answer.slice_end > answer.settled_units);
                assert!(totals.debt.is_zero() || tab.pricing.is_free(), "a slice while there is debt");
                assert_eq!(self.books.account.status, AccountStatus::Open);
            }
            Verdict::Refused(_) => assert!(!tab.pricing.is_free() || self.books.account.status != AccountStatus::Open),
            Verdict::Settled | Verdict::Closed => {}
        }
        assert!(answer.grace_units == 0 || (totals.debt.is_zero() && answer.verdict != Verdict::Final));
    }

    /// Every session has paid the price of what it reported within what it was permitted, to the millionth, but for
    /// what the cap on debt forgave; and all that is spent was paid for a session or a job.
    fn check_charges(&mut self, before: &Books, command: &Command, outcome: &Outcome) {
        self.tell(before, command, outcome);
        let mut charged = self.forgotten;
        for (session, tab) in &self.books.tabs {
            let opinion = self.opinions.entry(*session).or_default();
            assert_eq!(tab.settled_units, opinion.settled, "{session}");
            assert_eq!(tab.charged + tab.forgiven, price(&tab.pricing, opinion.settled), "{session}");
            charged += tab.charged;
            let forgave = before.tabs.get(session).is_some_and(|before| before.forgiven < tab.forgiven);
            let totals = self.books.account.totals;
            assert!(!forgave || totals.debt >= self.books.account.limits.debt, "forgiven below the cap: {totals:?}");
        }
        for hold in self.books.jobs.values() {
            if let JobHold::Settled { amount } = hold {
                charged += *amount;
            }
        }
        let totals = self.books.account.totals;
        assert_eq!(totals.spent + totals.overage_spent, charged);
        let speaking = self.books.tabs.values().filter(|tab| tab.state == TabState::Speaking && !tab.pricing.is_free());
        assert_eq!(self.books.account.burn_rate, speaking.clone().map(|tab| tab.pricing.rate).sum());
        assert_eq!(self.books.account.speaking as usize, speaking.count());
    }

    /// What was granted for a change of plan is the difference for the rest of the period, or the whole of a new one.
    fn check_plan(&self, before: &Books, command: &Command, outcome: &Outcome) {
        let (Command::ChangePlan { plan, grant }, Outcome::PlanSet) = (command, outcome) else { return };
        let change = GrantName(format!("change of plan {grant}"));
        if before.names.contains_key(&change) {
            return;
        }
        let mut rolled = before.clone();
        let _ = rolled.apply(&self.terms, self.now, &Command::Touch);
        let (before, after) = (&rolled.account, &self.books.account);
        let granted = after.totals.granted - before.totals.granted;
        match before.plan_change(plan.as_ref()) {
            PlanChange::Stays => assert_eq!((granted, &after.next_plan), (Microcredits::ZERO, &None)),
            PlanChange::Upgrade { granted: promised } => {
                assert_eq!((granted, after.period), (promised, before.period));
                let (old, new) = (before.plan.as_ref().expect("a plan"), plan.as_ref().expect("a plan"));
                assert!(granted <= new.credits - old.credits, "more than the difference");
                assert_eq!((after.totals.expired, &after.plan), (before.totals.expired, plan));
            }
            PlanChange::Anew { granted: promised, expires } => {
                assert_eq!((granted, &after.plan), (promised, plan));
                assert_eq!(after.totals.expired - before.totals.expired, expires);
                assert_eq!(after.period.map(|period| period.starts_at), Some(after.now));
            }
            PlanChange::Later { at } => {
                assert_eq!((granted, &after.plan, after.period), (Microcredits::ZERO, &before.plan, before.period));
                assert_eq!(after.next_plan, Some(NextPlan { plan: plan.clone() }));
                assert!(at > after.now);
            }
        }
    }

    /// No slice reaches past the limit of its session's secret.
    fn check_budget(&self, before: &Books, command: &Command, outcome: &Outcome) {
        let (Command::Heartbeat { session, .. }, Outcome::Heartbeat(answer)) = (command, outcome) else { return };
        let (tab, before) = (&self.books.tabs[session], &before.tabs[session]);
        let Some(budget) = tab.secret.and_then(|secret| self.books.account.budget(secret)) else { return };
        let more = tab.pricing.cost(tab.slice_end) - tab.pricing.cost(before.slice_end.max(tab.settled_units));
        if more > Microcredits::ZERO {
            assert!(budget.spent + budget.held <= budget.limit.credits, "past its limit: {budget:?} {answer:?}");
        }
        let reach = tab.pricing.cost(answer.slice_end + answer.grace_units) - tab.pricing.cost(answer.slice_end);
        assert!(
            answer.grace_units == 0 || tab.pricing.is_free() || reach <= budget.left() || tab == before,
            "{answer:?}"
        );
    }

    fn tell(&mut self, before: &Books, command: &Command, outcome: &Outcome) {
        match (command, outcome) {
            (
                Command::Heartbeat { session, epoch, number, units, .. }
                | Command::EndSession { session, epoch, number, units, .. },
                Outcome::Heartbeat(answer) | Outcome::Ended(answer),
            ) => {
                let opinion = self.opinions.entry(*session).or_default();
                if let Some(first) = opinion.answers.get(&(*epoch, *number)) {
                    assert!(answer == first || answer.verdict == Verdict::Closed, "{answer:?} after {first:?}");
                    return;
                }
                opinion.settled = opinion.settled.max((*units).min(opinion.permitted));
                opinion.permitted = opinion.permitted.max(answer.slice_end + answer.grace_units);
                opinion.answers.insert((*epoch, *number), *answer);
            }
            (Command::TakeOver { session, proved, .. }, Outcome::TakenOver { epoch, base }) => {
                let opinion = self.opinions.entry(*session).or_default();
                if *epoch > before.tabs[session].epoch {
                    opinion.settled = opinion.settled.max((*proved).min(opinion.permitted));
                    opinion.permitted = opinion.settled;
                    assert_eq!(*base, opinion.settled);
                }
            }
            (Command::Sweep { sessions }, Outcome::Swept { ended }) => {
                for (session, proved) in sessions {
                    if !self.books.tabs.contains_key(session)
                        && let Some(tab) = before.tabs.get(session)
                    {
                        self.forgotten += tab.charged;
                        self.opinions.remove(session);
                    }
                    if ended.contains(session) {
                        let opinion = self.opinions.entry(*session).or_default();
                        opinion.settled = opinion.settled.max((*proved).min(opinion.permitted));
                    }
                }
            }
            _ => {}
        }
    }

    fn check_audit(&self) {
        let Books { account, tabs, jobs, .. } = &self.books;
        let audit = Audit::of(account, &Checkpoint::default(), &self.entries, tabs.values(), jobs.values());
        assert_eq!(audit, Ok(Audit::default()));
    }

    /// Everything that is stored or sent comes back the same, as JSON and as MessagePack by position.
    fn check_written_form(&self, command: &Command, outcome: &Outcome) {
        fn round<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
            let json = serde_json::to_string(value).expect("as JSON");
            assert_eq!(*value, serde_json::from_str::<T>(&json).expect("from JSON"));
            let bytes = rmp_serde::to_vec(value).expect("as MessagePack");
            assert_eq!(*value, rmp_serde::from_slice::<T>(&bytes).expect("from MessagePack"));
        }
        round(command);
        round(outcome);
        round(&self.books);
        if let Some(entry) = self.entries.last() {
            round(entry);
        }
    }

    fn command(&self, step: &Step) -> Option<Command> {
        Some(match *step {
            Step::Wait(_) => Command::Touch,
            Step::Grant { name, kind, amount, expires_in } => Command::Grant {
                id: GrantId(Uuid::from_u128(u128::from(name))),
                name: GrantName(format!("payment {name}")),
                kind,
                amount: Microcredits(amount),
                expires_at: expires_in.map(|ms| self.now.plus_ms(ms)),
            },
            Step::Void { name, grant, amount } => Command::VoidGrant {
                name: GrantName(format!("refund {name}")),
                grant: self.some_grant(grant),
                amount: Microcredits(amount),
            },
            Step::Plan { change, credits, months, max_sessions, how } => {
                let grant = GrantId(Uuid::from_u128(1_000 + u128::from(change)));
                let plan = (change % 5 > 0).then(|| PlanTerms {
                    name: "some".into(),
                    credits: Microcredits(credits),
                    months,
                    max_sessions,
                });
                match how {
                    0 => Command::KeepPlan,
                    1 | 2 => Command::SetPlan { plan, grant },
                    // As much as now, for another term or in another number of sessions.
                    3 => {
                        let present = self.books.account.plan.clone();
                        Command::ChangePlan { plan: present.map(|plan| PlanTerms { max_sessions, ..plan }), grant }
                    }
                    _ => Command::ChangePlan { plan, grant },
                }
            }
            Step::SpendingLimit { secret, limit } => Command::SetSpendingLimit {
                secret: SecretId(Uuid::from_u128(u128::from(secret))),
                limit: limit.map(|(credits, monthly)| SpendingLimit {
                    credits: Microcredits(credits),
                    per: if monthly { LimitPer::Month } else { LimitPer::Total },
                }),
            },
            Step::Limits { debt, overage } => {
                Command::SetLimits { limits: Limits { debt: Microcredits(debt), overage: Microcredits(overage) } }
            }
            Step::Status { suspended } => {
                Command::SetStatus { status: if suspended { AccountStatus::Suspended } else { AccountStatus::Open } }
            }
            Step::Begin { session, pricing, secret, owner } => Command::BeginSession {
                session: session_id(session),
                product: Product::ALL[usize::from(pricing)],
                pricing: prices()[usize::from(pricing)],
                secret: (secret > 0).then(|| SecretId(Uuid::from_u128(u128::from(secret)))),
                owner: BootId(Uuid::from_u128(owner)),
            },
            Step::Beat { session, number, epoch, report, ask } => {
                let (tab_epoch, last) = self.last(session);
                let (epoch, number) =
                    (tab_epoch.saturating_add_signed(epoch as i32), last.saturating_add_signed(number));
                Command::Heartbeat {
                    session: session_id(session),
                    epoch,
                    number,
                    units: self.units(session, report),
                    ask,
                }
            }
            Step::End { session, number, report } => {
                let (epoch, last) = self.last(session);
                Command::EndSession {
                    session: session_id(session),
                    epoch,
                    number: last.saturating_add_signed(number),
                    units: self.units(session, report),
                    reason: EndReason::Stopped,
                }
            }
            Step::Cut { session } => {
                Command::CutSession { session: session_id(session), reason: EndReason::MaxDuration }
            }
            Step::TakeOver { session, owner, report } => Command::TakeOver {
                session: session_id(session),
                owner: BootId(Uuid::from_u128(owner)),
                proved: self.units(session, report),
            },
            Step::Sweep { report } => Command::Sweep {
                sessions: (0..SESSIONS).map(|session| (session_id(session), self.units(session, report))).collect(),
            },
            Step::Job { job, act, amount } => {
                let job = JobId(Uuid::from_u128(job));
                match act {
                    0 => Command::SettleJob { job },
                    1 => Command::ReleaseJob { job },
                    _ => Command::HoldJob { job, amount: Microcredits(amount) },
                }
            }
            Step::SweepJobs => Command::SweepJobs { jobs: self.books.jobs.keys().copied().collect() },
            Step::Again { back } => self.commands.iter().rev().nth(back)?.clone(),
        })
    }

    fn last(&self, session: u128) -> (u32, u64) {
        self.books.tabs.get(&session_id(session)).map_or((1, 0), |tab| (tab.epoch, tab.last_number))
    }

    fn units(&self, session: u128, report: Reported) -> Units {
        let Some(tab) = self.books.tabs.get(&session_id(session)) else { return 0 };
        let some = |percent: u64, end: Units| tab.settled_units + (end - tab.settled_units) * percent / 100;
        match report {
            Reported::OfSlice(percent) => some(percent, tab.slice_end),
            Reported::OfPermitted(percent) => some(percent, tab.permitted.max(tab.settled_units)),
            Reported::Back(units) => tab.settled_units.saturating_sub(units),
            Reported::Anything(units) => units,
        }
    }

    fn some_grant(&self, grant: u8) -> GrantId {
        let grants = &self.books.account.grants;
        match grants.len() {
            0 => GrantId(Uuid::from_u128(u128::from(grant))),
            count => grants[usize::from(grant) % count].id,
        }
    }

    /// Ends everything, as an operator would who closes the house.
    fn close(&mut self) {
        let jobs: Vec<_> = self.books.jobs.keys().copied().collect();
        self.now = self.now.max(self.books.account.now).plus_ms(40 * MINUTE);
        let sessions = (0..SESSIONS).map(|session| (session_id(session), 0)).collect();
        self.apply(&Command::Sweep { sessions });
        for job in jobs {
            self.apply(&Command::ReleaseJob { job });
        }
        let Account { totals, open_sessions, speaking, waiting, .. } = &self.books.account;
        assert_eq!((totals.held, totals.overage_held), (Microcredits::ZERO, Microcredits::ZERO));
        assert_eq!((*open_sessions, *speaking, *waiting), (0, 0, 0));
    }
}

fn session_id(session: u128) -> SessionId {
    SessionId(Uuid::from_u128(session))
}

fn prices() -> [Pricing; 6] {
    let frames =
        |rate, fps: u64| Pricing { rate: Microcredits(rate), units_per_minute: 60 * fps, rounding: Rounding::Exact };
    [
        frames(2_000_000, 25),
        frames(4_000_000, 50),
        frames(1, 20),
        Pricing { rounding: Rounding::WholeMinute, ..frames(1_000_000, 25) },
        Pricing { rate: Microcredits(30_000_000), units_per_minute: 60_000, rounding: Rounding::Exact },
        frames(0, 25),
    ]
}

/// The price list told differently: whole minutes, and the rest of a minute apart.
fn price(pricing: &Pricing, units: Units) -> Microcredits {
    let (minutes, rest) = (units / pricing.units_per_minute, units % pricing.units_per_minute);
    let (rate, per_minute) = (i128::from(pricing.rate.0), i128::from(pricing.units_per_minute));
    let begun = match pricing.rounding {
        Rounding::Exact => rate * i128::from(rest) / per_minute,
        Rounding::WholeMinute => rate * i128::from(rest.min(1)),
    };
    Microcredits(i64::try_from(rate * i128::from(minutes) + begun).expect("nobody speaks that long"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_every_credit_is_somewhere_and_every_charge_is_exact(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let mut world = World::new();
        for step in &steps {
            world.perform(step);
        }
        world.close();
    }

    /// An account that nobody looks at ends where one that is looked at all the time does.
    #[test]
    fn looking_more_often_changes_nothing(
        steps in prop::collection::vec(step(), 1..60),
        looks in prop::collection::vec(0..400 * DAY, 0..30),
    ) {
        let mut world = World::new();
        for step in &steps {
            world.perform(step);
        }
        let from = world.books.account.now;
        let mut looked = world.books.account.clone();
        let mut looks = looks;
        looks.sort_unstable();
        for ms in looks {
            looked = looked.as_of(from.plus_ms(ms));
        }
        let end = from.plus_ms(401 * DAY);
        let (looked, alone) = (looked.as_of(end), world.books.account.as_of(end));
        prop_assert_eq!(&looked.grants, &alone.grants);
        prop_assert_eq!(looked.period, alone.period);
        prop_assert_eq!(&looked.plan, &alone.plan);
        prop_assert_eq!((looked.totals.debt, looked.totals.available), (alone.totals.debt, alone.totals.available));
    }
}
