//! Scenes: an account, its sessions and a clock, told step by step. After every step the books are taken out as a
//! store would write them and audited from the journal.

mod budgets;
mod grants;
mod jobs;
mod owners;
mod plans;
mod sharing;
mod speaking;

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Applied, Books};
use crate::*;

pub(super) const SECOND: i64 = 1_000;
pub(super) const HOUR: i64 = 3_600 * SECOND;
pub(super) const DAY: i64 = 24 * HOUR;

/// 2026-01-31T10:30:00Z: the last day of a long month, in the middle of an hour.
const START: Timestamp = Timestamp(1_769_855_400_000);

pub(super) struct Scene {
    pub(super) books: Books,
    pub(super) terms: Terms,
    pub(super) entries: Vec<Entry>,
    now: Timestamp,
    numbers: BTreeMap<SessionId, u64>,
    names: u128,
}

/// [`Applied`], for steps that nobody looks at.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) outcome: Outcome,
    pub(super) available_rose: bool,
}

impl Scene {
    pub(super) fn new() -> Self {
        let limits = Limits { debt: credits("1"), overage: Microcredits::ZERO };
        Self {
            books: Books::new(Account::open(AccountId(Uuid::from_u128(7)), START, limits)),
            terms: Terms::default(),
            entries: Vec::new(),
            now: START,
            numbers: BTreeMap::new(),
            names: 0,
        }
    }

    pub(super) fn with_credits(amount: &str) -> Self {
        let mut scene = Self::new();
        scene.top_up(amount);
        scene
    }

    pub(super) fn advance(&mut self, ms: i64) -> &mut Self {
        self.now = self.now.plus_ms(ms);
        self
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn apply(&mut self, command: &Command) -> Done {
        let Applied { outcome, available_rose } = self.books.apply(&self.terms, self.now, command);
        let changes = self.books.take_changes();
        assert_eq!(changes.account, self.books.account);
        self.entries.extend(changes.entries);
        self.audit();
        Done { outcome, available_rose }
    }

    pub(super) fn run(&mut self, command: &Command) -> Outcome {
        self.apply(command).outcome
    }

    fn audit(&self) {
        let Books { account, tabs, jobs, .. } = &self.books;
        let audit = Audit::of(account, &Checkpoint::default(), &self.entries, tabs.values(), jobs.values())
            .expect("no entry is missing");
        assert!(audit.is_balanced(), "{:#?}", audit.differences);
    }

    // Money.

    pub(super) fn top_up(&mut self, amount: &str) -> Done {
        self.grant(GrantKind::TopUp, amount, None)
    }

    pub(super) fn grant(&mut self, kind: GrantKind, amount: &str, expires_at: Option<Timestamp>) -> Done {
        self.names += 1;
        let (id, name) = (grant_id(self.names), GrantName(format!("payment {}", self.names)));
        self.apply(&Command::Grant { id, name, kind, amount: credits(amount), expires_at })
    }

    pub(super) fn set_plan(&mut self, amount: &str, months: u8, max_sessions: u32) -> Outcome {
        self.names += 1;
        let grant = grant_id(self.names);
        let plan = PlanTerms { name: "test".into(), credits: credits(amount), months, max_sessions };
        self.run(&Command::SetPlan { plan: Some(plan), grant })
    }

    /// Goes over to a plan, or to none, as is fair.
    pub(super) fn change_plan(&mut self, plan: Option<PlanTerms>) -> Outcome {
        self.names += 1;
        let grant = grant_id(self.names);
        self.run(&Command::ChangePlan { plan, grant })
    }

    pub(super) fn set_limits(&mut self, debt: &str, overage: &str) -> Done {
        let limits = Limits { debt: credits(debt), overage: credits(overage) };
        self.apply(&Command::SetLimits { limits })
    }

    pub(super) fn totals(&self) -> Totals {
        self.books.account.totals
    }

    #[track_caller]
    pub(super) fn check(&self, available: &str, held: &str, spent: &str) {
        let Totals { available: a, held: h, spent: s, .. } = self.totals();
        assert_eq!((a, h, s), (credits(available), credits(held), credits(spent)));
    }

    // Sessions: essence_cloud, 2 credits a minute, 25 frames a second, unless said otherwise.

    pub(super) fn begin(&mut self, session: u128) -> Outcome {
        self.begin_priced(session, essence(25))
    }

    pub(super) fn begin_priced(&mut self, session: u128, pricing: Pricing) -> Outcome {
        self.begin_with(session, pricing, None)
    }

    pub(super) fn begin_with(&mut self, session: u128, pricing: Pricing, secret: Option<SecretId>) -> Outcome {
        self.run(&Command::BeginSession {
            session: session_id(session),
            product: Product::EssenceCloud,
            pricing,
            secret,
            owner: boot(1),
        })
    }

    /// The session's next heartbeat.
    pub(super) fn beat(&mut self, session: u128, units: Units, ask: Ask) -> SliceAnswer {
        let number = self.next_number(session);
        match self.run(&beat(session, 1, number, units, ask)) {
            Outcome::Heartbeat(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn stop(&mut self, session: u128, units: Units) -> SliceAnswer {
        let number = self.next_number(session);
        match self.run(&end(session, 1, number, units)) {
            Outcome::Ended(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn tab(&self, session: u128) -> &Tab {
        &self.books.tabs[&session_id(session)]
    }

    pub(super) fn next_number(&mut self, session: u128) -> u64 {
        let number = self.numbers.entry(session_id(session)).or_default();
        *number += 1;
        *number
    }
}

pub(super) fn credits(text: &str) -> Microcredits {
    text.parse().expect("an amount of credits")
}

pub(super) fn essence(fps: u64) -> Pricing {
    Pricing { rate: credits("2"), units_per_minute: 60 * fps, rounding: Rounding::Exact }
}

pub(super) fn session_id(session: u128) -> SessionId {
    SessionId(Uuid::from_u128(session))
}

pub(super) fn grant_id(grant: u128) -> GrantId {
    GrantId(Uuid::from_u128(grant))
}

pub(super) fn boot(boot: u128) -> BootId {
    BootId(Uuid::from_u128(boot))
}

pub(super) fn beat(session: u128, epoch: u32, number: u64, units: Units, ask: Ask) -> Command {
    Command::Heartbeat { session: session_id(session), epoch, number, units, ask }
}

pub(super) fn end(session: u128, epoch: u32, number: u64, units: Units) -> Command {
    Command::EndSession { session: session_id(session), epoch, number, units, reason: EndReason::Stopped }
}

#[track_caller]
pub(super) fn refusal(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
