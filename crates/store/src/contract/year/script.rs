//! Who lives through the year, what they do, and what plan credits they must have got.

use footlight_ledger::{Command, GrantId, GrantKind, GrantName, Microcredits, PlanTerms, Timestamp};
use uuid::Uuid;

use super::{DAY, ROLLS, START};

/// Frames of the session that is open across a roll.
pub(super) const AT_ROLL: u64 = 1_000;
/// Credits of each top-up, and of the part of one that is refunded.
pub(super) const TOP_UP: i64 = 500;
pub(super) const REFUND: i64 = 1;
/// Credits of the promotion.
pub(super) const PROMO: i64 = 10;
/// The days on which it comes and ends.
pub(super) const PROMO_DAYS: (i64, i64) = (20, 65);
const TOP_UP_DAYS: [i64; 3] = [10, 130, 250];
const REFUND_DAY: i64 = 140;

/// A customer and its year.
pub(super) struct Customer {
    pub(super) name: String,
    first: PlanTerms,
    /// What it does, by day; what is done is gone.
    steps: Vec<(i64, What)>,
    top_ups: [GrantId; 3],
    /// Its plan credits, as somebody with a calendar and a pencil has them.
    pub(super) plan_grants: Vec<PlanGrant>,
}

/// One grant of plan credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PlanGrant {
    pub(super) granted_at: Timestamp,
    pub(super) amount: Microcredits,
    pub(super) expires_at: Timestamp,
    /// When it really ended: earlier than it was to, if the plan was left at once.
    pub(super) ended_at: Timestamp,
}

enum What {
    Change(Option<PlanTerms>),
    Keep,
}

impl Customer {
    pub(super) fn first_plan(&self) -> Command {
        Command::SetPlan { plan: Some(self.first.clone()), grant: GrantId(Uuid::now_v7()) }
    }

    /// Whether one of its periods begins at this roll.
    pub(super) fn rolls_at(&self, roll: Timestamp) -> bool {
        self.plan_grants.iter().any(|grant| grant.granted_at == roll)
    }

    /// What it does now.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Command> {
        let is_now = |day: i64| START.plus_ms(day * DAY) == now;
        let mut commands = Vec::new();
        self.steps.retain_mut(|(day, what)| {
            if !is_now(*day) {
                return true;
            }
            commands.push(match what {
                What::Change(plan) => Command::ChangePlan { plan: plan.take(), grant: GrantId(Uuid::now_v7()) },
                What::Keep => Command::KeepPlan,
            });
            false
        });
        let give = |id, name: String, kind, credits, expires_at| Command::Grant {
            id,
            name: GrantName(name),
            kind,
            amount: Microcredits::from_credits(credits),
            expires_at,
        };
        for (day, id) in TOP_UP_DAYS.into_iter().zip(self.top_ups) {
            if is_now(day) {
                // Paid once, told twice.
                let top_up = give(id, format!("invoice of day {day}"), GrantKind::TopUp, TOP_UP, None);
                commands.extend([top_up.clone(), top_up]);
            }
        }
        if is_now(PROMO_DAYS.0) {
            let ends = START.plus_ms(PROMO_DAYS.1 * DAY);
            commands.push(give(GrantId(Uuid::now_v7()), "welcome".into(), GrantKind::Promo, PROMO, Some(ends)));
        }
        if is_now(REFUND_DAY) {
            commands.push(Command::VoidGrant {
                name: GrantName("refund".into()),
                grant: self.top_ups[1],
                amount: Microcredits::from_credits(REFUND),
            });
        }
        commands
    }
}

/// All of them: who stays on a plan, for each plan and term, and who changes.
pub(super) fn customers() -> Vec<Customer> {
    const PLANS: [(&str, i64); 5] =
        [("free", 99), ("creator", 1_800), ("pro", 10_000), ("business", 50_000), ("enterprise", 250_000)];
    let steady = |(name, credits): (&str, i64)| {
        let monthly = customer(name, monthly(name, credits), Vec::new(), months(0..=12, credits));
        let year = vec![grant(0, credits * 12, 366), grant(366, credits * 12, 366 + 365)];
        [monthly, customer(name, annual(name, credits), Vec::new(), year)]
    };
    PLANS.into_iter().flat_map(steady).chain([climber(), faller(), by_the_year(), custom()]).collect()
}

/// From plan to better plan, at once each time, and then to a year.
fn climber() -> Customer {
    let steps = vec![
        (40, What::Change(Some(monthly("creator", 1_800)))),
        (75, What::Change(Some(monthly("pro", 10_000)))),
        (200, What::Change(Some(annual("business", 50_000)))),
        (300, What::Change(Some(annual("pro", 10_000)))),
        (310, What::Keep),
    ];
    let mut grants = months(0..=1, 99);
    grants.push(part(1_800 - 99, 40, (31, 61)));
    grants.extend(months(2..=2, 1_800));
    grants.push(part(10_000 - 1_800, 75, (61, 92)));
    grants.extend(months(3..=6, 10_000));
    // The year begins on 16 February 2028, and the rest of that month's credits is gone.
    grants.last_mut().expect("January's").ended_at = day(200);
    grants.push(grant(200, 12 * 50_000, 200 + 366));
    customer("climber", monthly("free", 99), steps, grants)
}

/// Downgrades: one taken back, one that comes, an end, and a new beginning on another day of the month.
fn faller() -> Customer {
    let steps = vec![
        (10, What::Change(Some(monthly("business", 50_000)))),
        (20, What::Keep),
        (100, What::Change(Some(monthly("creator", 1_800)))),
        (250, What::Change(None)),
        (320, What::Change(Some(monthly("free", 99)))),
    ];
    let mut grants = months(0..=3, 250_000);
    grants.extend(months(4..=8, 1_800));
    grants.extend([grant(320, 99, 350), grant(350, 99, 381)]);
    customer("faller", monthly("enterprise", 250_000), steps, grants)
}

/// An upgrade in the middle of a year, and a change to the month at its end.
fn by_the_year() -> Customer {
    let steps =
        vec![(50, What::Change(Some(annual("pro", 10_000)))), (150, What::Change(Some(monthly("creator", 1_800))))];
    let grants =
        vec![grant(0, 12 * 1_800, 366), part(12 * (10_000 - 1_800), 50, (0, 366)), grant(366, 1_800, 366 + 31)];
    customer("by the year", annual("creator", 1_800), steps, grants)
}

/// A plan of its own, enlarged at once, then as large for fewer sessions.
fn custom() -> Customer {
    let own = |credits, max_sessions| PlanTerms { max_sessions, ..monthly("own", credits) };
    let steps = vec![(45, What::Change(Some(own(80_000, 100)))), (65, What::Change(Some(own(80_000, 90))))];
    let mut grants = months(0..=1, 75_000);
    grants.push(part(5_000, 45, (31, 61)));
    grants.extend(months(2..=12, 80_000));
    customer("custom", own(75_000, 80), steps, grants)
}

fn customer(name: &str, first: PlanTerms, steps: Vec<(i64, What)>, plan_grants: Vec<PlanGrant>) -> Customer {
    let name = format!("{name}, {} months", first.months);
    let top_ups = std::array::from_fn(|_| GrantId(Uuid::now_v7()));
    Customer { name, first, steps, top_ups, plan_grants }
}

fn monthly(name: &str, credits: i64) -> PlanTerms {
    PlanTerms { name: name.to_owned(), credits: Microcredits::from_credits(credits), months: 1, max_sessions: 50 }
}

fn annual(name: &str, credits: i64) -> PlanTerms {
    PlanTerms { months: 12, credits: Microcredits::from_credits(12 * credits), ..monthly(name, credits) }
}

const fn day(day: i64) -> Timestamp {
    START.plus_ms(day * DAY)
}

fn grant(from: i64, credits: i64, to: i64) -> PlanGrant {
    let (expires_at, amount) = (day(to), Microcredits::from_credits(credits));
    PlanGrant { granted_at: day(from), amount, expires_at, ended_at: expires_at }
}

/// The grants of whole months, the first being the 0th. The 12th ends on 31 August 2028.
fn months(months: std::ops::RangeInclusive<usize>, credits: i64) -> Vec<PlanGrant> {
    let boundary = |month: usize| match month {
        0 => 0,
        13 => 366 + 31,
        month => ROLLS[month - 1],
    };
    months.map(|month| grant(boundary(month), credits, boundary(month + 1))).collect()
}

/// The part of a difference that belongs to the rest of a period of whole days.
fn part(credits: i64, on: i64, (from, to): (i64, i64)) -> PlanGrant {
    let amount = Microcredits(credits * Microcredits::PER_CREDIT * (to - on) / (to - from));
    PlanGrant { amount, ..grant(on, 0, to) }
}
