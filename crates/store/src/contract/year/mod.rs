//! A year of accounts, told hour by hour under a simulated clock: every plan by the month and by the year, an anchor on
//! the 31st with a leap day on the way, upgrades, downgrades, top-ups, promotions, refunds, and sessions across every roll.
//!
//! The same year is lived on the pure machine and through a desk on a store. The desk's clock is the test's. SQLite has no
//! clock of its own to compare with; Redis has, so its store is opened with a `skew_max` beyond the year: the one
//! check that a simulated clock cannot pass is switched off by its own option, everything else is as in service.

mod bank;
mod script;
mod told;

use std::sync::Arc;

use footlight_ledger::{Account, AccountId, Ask, Audit, Command, Limits, Microcredits, Outcome, SessionId, Timestamp};

use self::bank::Bank;
use self::script::Customer;
use self::told::Told;
use super::given::{PRICING, new_account, new_session};
use crate::{Store, WholeAccount};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// 2027-07-31T10:30:00Z.
const START: Timestamp = Timestamp(1_817_029_800_000);

/// Days from the start to the end of each month's period: Aug 31, Sep 30, Oct 31, Nov 30, Dec 31, Jan 31, Feb 29 (2028 is
/// a leap year), Mar 31, Apr 30, May 31, Jun 30, Jul 31.
const ROLLS: [i64; 12] = [31, 61, 92, 122, 153, 184, 213, 244, 274, 305, 335, 366];

/// Frames that the session speaks that is open all year, each hour.
const HOURLY: u64 = 30;

/// A year on books without a store.
pub async fn a_year_on_each_plan_in_books() {
    live(Bank::of_books(START), 1).await;
}

/// A year on a store, which must take commits of any time. Its books are audited every so many hours, and at each roll.
pub async fn a_year_on_each_plan(store: Arc<dyn Store>, audited_every_h: i64) {
    live(Bank::on(store, START), audited_every_h).await;
}

/// One customer on its way through the year.
struct Life {
    account: AccountId,
    customer: Customer,
    told: Told,
    /// Spoken in by the hour, from the first day to the last.
    all_year: Voice,
    /// Open across one roll.
    at_roll: Option<Voice>,
    /// Ended sessions that the sweeper may forget some day.
    ended: Vec<SessionId>,
}

/// A session, as its engine knows it.
struct Voice {
    session: SessionId,
    number: u64,
    units: u64,
}

impl Voice {
    fn new() -> Self {
        Self { session: new_session(), number: 0, units: 0 }
    }

    fn beat(&mut self, more: u64, ask: Ask) -> Command {
        self.number += 1;
        self.units += more;
        super::given::beat(self.session, self.number, self.units, ask)
    }

    fn end(&mut self) -> Command {
        self.number += 1;
        Command::EndSession {
            session: self.session,
            epoch: 1,
            number: self.number,
            units: self.units,
            reason: footlight_ledger::EndReason::Stopped,
        }
    }
}

async fn live(bank: Bank, audited_every_h: i64) {
    let mut lives: Vec<Life> = script::customers()
        .into_iter()
        .map(|customer| Life {
            account: new_account(),
            customer,
            told: Told::default(),
            all_year: Voice::new(),
            at_roll: None,
            ended: Vec::new(),
        })
        .collect();
    let limits = Limits { debt: Microcredits::from_credits(10), overage: Microcredits::ZERO };
    for life in &lives {
        bank.open(life.account, limits).await;
    }
    each(&bank, &mut lives, |life| {
        let first = life.customer.first_plan();
        vec![first, super::given::begin(life.all_year.session)]
    })
    .await;

    let mut rolls = ROLLS.iter().map(|days| START.plus_ms(days * DAY)).peekable();
    let end = START.plus_ms(367 * DAY);
    // On the half hour, as the plans were set: every roll falls on an hour.
    let mut now = START;
    while now < end {
        now = now.plus_ms(HOUR);
        let is_roll = rolls.next_if_eq(&now).is_some();
        if is_roll {
            across_a_roll(&bank, &mut lives, now).await;
        }
        bank.set_clock(now);
        an_hour(&bank, &mut lives, now).await;
        if is_roll {
            after_a_roll(&bank, &mut lives, now).await;
        }
        if is_roll || now.ms_since(START) % (audited_every_h * HOUR) == 0 {
            audit(&bank, &mut lives, now).await;
        }
        if now.ms_since(START) % (7 * DAY) == 0 {
            for life in &lives {
                bank.trim(life.account, now.plus_ms(-3 * DAY)).await;
            }
        }
    }
    assert!(rolls.next().is_none(), "a roll was left out");
    let all = bank.whole(&lives.iter().map(|life| life.account).collect::<Vec<_>>()).await;
    for (life, whole) in lives.iter().zip(all) {
        life.told.check_year(&life.customer, &whole.account, life.spoken());
    }
}

impl Life {
    /// Units of all its sessions, each charged on its own.
    fn spoken(&self) -> Microcredits {
        let at_rolls = Microcredits(PRICING.cost(script::AT_ROLL).0 * i64::try_from(ROLLS.len()).expect("twelve"));
        PRICING.cost(self.all_year.units) + at_rolls
    }
}

/// What happens in every hour, and what the customers' scripts say.
async fn an_hour(bank: &Bank, lives: &mut [Life], now: Timestamp) {
    let hour = now.ms_since(START) / HOUR;
    each(bank, lives, |life| {
        let mut commands = life.customer.due(now);
        // It holds across every other hour, and has given back across the others.
        commands.push(match hour % 2 {
            0 => life.all_year.beat(0, Ask::Slice),
            _ => life.all_year.beat(HOURLY, Ask::Release),
        });
        if hour % 24 == 0 {
            commands.push(Command::Sweep { sessions: life.ended.iter().map(|session| (*session, 0)).collect() });
        }
        commands
    })
    .await;
}

/// A session begins before the roll and holds across it.
async fn across_a_roll(bank: &Bank, lives: &mut [Life], roll: Timestamp) {
    bank.set_clock(roll.plus_ms(-2 * MINUTE));
    each(bank, lives, |life| {
        let mut voice = Voice::new();
        let commands = vec![super::given::begin(voice.session), voice.beat(0, Ask::Slice)];
        life.at_roll = Some(voice);
        commands
    })
    .await;
    bank.set_clock(roll.plus_ms(-1));
    let accounts: Vec<_> = lives.iter().map(|life| life.account).collect();
    each(bank, lives, |_| vec![Command::Touch]).await;
    let before = bank.whole(&accounts).await;
    bank.set_clock(roll);
    each(bank, lives, |_| vec![Command::Touch]).await;
    let after = bank.whole(&accounts).await;
    for ((life, before), after) in lives.iter().zip(before).zip(after) {
        let (before, after) = (period_start(&before.account), period_start(&after.account));
        let name = &life.customer.name;
        assert!(before.is_none_or(|start| start < roll), "{name} rolled early");
        assert_eq!(after == Some(roll), life.customer.rolls_at(roll), "{name} at {roll:?}: {before:?}, {after:?}");
    }
    each(bank, lives, |life| {
        let voice = life.at_roll.as_mut().expect("it began");
        vec![voice.beat(script::AT_ROLL / 2, Ask::Slice)]
    })
    .await;
}

/// The session that held across the roll ends after it.
async fn after_a_roll(bank: &Bank, lives: &mut [Life], roll: Timestamp) {
    bank.set_clock(roll.plus_ms(MINUTE));
    each(bank, lives, |life| {
        let mut voice = life.at_roll.take().expect("it began");
        life.ended.push(voice.session);
        vec![voice.beat(script::AT_ROLL / 2, Ask::Keep), voice.end()]
    })
    .await;
}

fn period_start(account: &Account) -> Option<Timestamp> {
    account.period.map(|period| period.starts_at)
}

/// Applies what each life wants done now; nothing of it may be refused.
async fn each(bank: &Bank, lives: &mut [Life], mut wants: impl FnMut(&mut Life) -> Vec<Command>) {
    let mut commands = Vec::new();
    for life in lives.iter_mut() {
        let account = life.account;
        commands.extend(wants(life).into_iter().map(|command| (account, command)));
    }
    let outcomes = bank.apply(commands.clone()).await;
    for ((_, command), outcome) in commands.iter().zip(outcomes) {
        assert!(!matches!(outcome, Outcome::Refused(_)), "{command:?}: {outcome:?}");
    }
}

/// The books balance, told again from the journal, trimmed or not.
async fn audit(bank: &Bank, lives: &mut [Life], now: Timestamp) {
    let accounts: Vec<_> = lives.iter().map(|life| life.account).collect();
    for (life, whole) in lives.iter_mut().zip(bank.whole(&accounts).await) {
        let WholeAccount { account, checkpoint, entries, tabs, jobs } = &whole;
        let audit = Audit::of(account, checkpoint, entries, tabs, jobs).expect("no entry is missing");
        assert!(audit.is_balanced(), "{} at {now:?}: {:#?}", life.customer.name, audit.differences);
        assert!(account.totals.imbalance().is_zero());
        life.told.read(entries);
        life.told.check_hour(account, now);
    }
}
