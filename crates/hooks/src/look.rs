//! What an account is to be told of its credits: a pure comparison of what it was told with how it stands.

use footlight_ledger::{Account, AccountStatus, Entry, EntryKind, GrantKind, Microcredits, Timestamp};
use serde::{Deserialize, Serialize};

use crate::documents::Alerts;
use crate::event::{News, Standing, Threshold};

/// Points of the past that the burn rate is measured from.
const SAMPLES_MAX: usize = 12;
/// The least time between two of them.
const SAMPLE_EVERY_MS: i64 = 20_000;
/// How far back they reach.
const SAMPLES_FOR_MS: i64 = 600_000;
/// The shortest time that a burn rate is told from.
const BURN_OVER_MS: i64 = 30_000;
/// How soon an account is looked at again while sessions are open, and otherwise; its commits come between.
const LOOK_AGAIN_MS: i64 = 60_000;
const LOOK_AGAIN_IDLE_MS: i64 = 900_000;

/// What an account was told, and how far its journal was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Watch {
    /// The next journal entry to read.
    pub(crate) next_entry: u64,
    /// Thresholds that were told and are not armed again.
    told: Vec<Threshold>,
    /// Whether it was told that the credits are used up, since it last got or was given back any.
    exhausted: bool,
    /// What was spent in all, at some points of the past; the oldest first.
    samples: Vec<(Timestamp, Microcredits)>,
    /// The request for money that no grant has answered.
    #[serde(default)]
    asked: Option<Asked>,
    /// When the plan's period began.
    period: Option<Timestamp>,
}

/// A request for money. It stands until a grant carries its name or its cool-down is over, whatever else happens to the
/// balance or the rule: who pays for it must not be asked for the same money under another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Asked {
    request: String,
    until: Timestamp,
}

/// What a look came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Looked {
    /// What to tell, in order.
    pub(crate) news: Vec<News>,
    /// What was told after that.
    pub(crate) watch: Watch,
    /// When to look again at the latest.
    pub(crate) again_at: Timestamp,
}

impl Watch {
    /// Watches an account from now on: what happened before is not told.
    pub(crate) fn begin(account: &Account) -> Self {
        Self {
            next_entry: account.next_entry,
            period: account.period.map(|period| period.starts_at),
            ..Self::default()
        }
    }
}

/// Compares. `entries` are those from `watch.next_entry` on; `request` is the name of a request for money, if one is made.
pub(crate) fn look(
    watch: &Watch,
    account: &Account,
    entries: &[Entry],
    alerts: &Alerts,
    request: String,
    now: Timestamp,
) -> Looked {
    // What was written after the account was read belongs to the next look.
    let entries = &entries[..entries.partition_point(|entry| entry.number < account.next_entry)];
    let mut watch = watch.clone();
    let standing = watch.take_sample(account, now);
    let mut news = Vec::new();
    watch.read_entries(entries, standing, &mut news);
    watch.see_period(account, entries, standing, &mut news);
    watch.see_thresholds(account, alerts, standing, &mut news);
    if is_exhausted(account) && !std::mem::replace(&mut watch.exhausted, true) {
        news.push(News::CreditsExhausted { standing });
    }
    if account.status == AccountStatus::Closed {
        // What is paid for it could not be credited any more.
        watch.asked = None;
    } else {
        watch.see_top_up(alerts, request, standing, now, &mut news);
    }
    let soon = if account.open_sessions > 0 { LOOK_AGAIN_MS } else { LOOK_AGAIN_IDLE_MS };
    // A closed account's periods end and nothing follows.
    let rolls_at = account.period.filter(|_| account.status != AccountStatus::Closed).map(|period| period.ends_at);
    let asks_at = watch.asked.as_ref().map(|asked| asked.until);
    let again_at = [Some(now.plus_ms(soon)), rolls_at, asks_at].into_iter().flatten().min().unwrap_or(now);
    // What lies in the past is looked at again in a moment, not at once for ever.
    Looked { news, watch, again_at: again_at.max(now.plus_ms(1_000)) }
}

impl Watch {
    fn take_sample(&mut self, account: &Account, now: Timestamp) -> Standing {
        let spent = account.totals.spent + account.totals.overage_spent;
        self.samples.retain(|(at, _)| now.0 - at.0 <= SAMPLES_FOR_MS);
        if self.samples.last().is_none_or(|(at, _)| now.0 - at.0 >= SAMPLE_EVERY_MS) {
            self.samples.push((now, spent));
        }
        if self.samples.len() > SAMPLES_MAX {
            // The oldest one stays: it is what the rate is measured from.
            self.samples.remove(1);
        }
        let burn_per_minute = match self.samples.first() {
            Some((at, before)) if now.0 - at.0 >= BURN_OVER_MS => {
                let per_minute = i128::from(spent.0 - before.0) * 60_000 / i128::from(now.0 - at.0);
                Microcredits(i64::try_from(per_minute).unwrap_or(i64::MAX))
            }
            _ => Microcredits::ZERO,
        };
        let balance = account.balance();
        Standing { balance: balance.plan + balance.promo + balance.top_up, plan: balance.plan, burn_per_minute }
    }

    fn read_entries(&mut self, entries: &[Entry], standing: Standing, news: &mut Vec<News>) {
        for entry in entries {
            self.next_entry = self.next_entry.max(entry.number + 1);
            match &entry.kind {
                EntryKind::Granted { grant, grant_kind, amount, name, .. } => {
                    self.exhausted = false;
                    self.asked.take_if(|asked| name.as_ref().is_some_and(|name| name.0.contains(&asked.request)));
                    self.told.retain(|threshold| !matches!(threshold, Threshold::RunwayMinutes(_)));
                    if *grant_kind != GrantKind::Plan {
                        let (grant, kind, amount) = (*grant, *grant_kind, *amount);
                        news.push(News::ToppedUp { grant, kind, amount, standing });
                    }
                }
                EntryKind::LimitsSet { .. } | EntryKind::JobReleased { .. } => self.exhausted = false,
                _ => {}
            }
        }
    }

    /// A change of plan by its owner may begin a period too, and that is no news to them. What a period that follows
    /// another grants has a name of its own; of one that grants nothing it is only known that no plan was set.
    fn see_period(&mut self, account: &Account, entries: &[Entry], standing: Standing, news: &mut Vec<News>) {
        let starts_at = account.period.map(|period| period.starts_at);
        let (Some(before), Some(period), Some(plan)) = (self.period, account.period, &account.plan) else {
            self.period = starts_at;
            return;
        };
        if before == period.starts_at {
            return;
        }
        let id = period.grant_id(account.id);
        let is_granted = |entry: &Entry| matches!(entry.kind, EntryKind::Granted { grant, .. } if grant == id);
        let is_change = |entry: &Entry| matches!(entry.kind, EntryKind::PlanSet { .. });
        let has_rolled = entries.iter().any(is_granted);
        if !has_rolled && self.next_entry < account.next_entry {
            // Its grant may be in the part of the journal that is still to be read.
            return;
        }
        self.period = starts_at;
        if has_rolled || !entries.iter().any(is_change) {
            let (plan, credits, ends_at) = (plan.name.clone(), plan.credits, period.ends_at);
            news.push(News::PeriodRolled { plan, starts_at: period.starts_at, ends_at, credits, standing });
        }
    }

    fn see_thresholds(&mut self, account: &Account, alerts: &Alerts, standing: Standing, news: &mut Vec<News>) {
        self.told.retain(|threshold| alerts.thresholds.contains(threshold));
        for threshold in &alerts.thresholds {
            match side(*threshold, account, standing) {
                Side::Below if !self.told.contains(threshold) => {
                    self.told.push(*threshold);
                    news.push(News::CreditsLow { threshold: *threshold, standing });
                }
                Side::Above => self.told.retain(|told| told != threshold),
                Side::Below | Side::Between => {}
            }
        }
    }

    fn see_top_up(
        &mut self,
        alerts: &Alerts,
        request: String,
        standing: Standing,
        now: Timestamp,
        news: &mut Vec<News>,
    ) {
        self.asked.take_if(|asked| asked.until <= now);
        let Some(rule) = alerts.auto_top_up.filter(|rule| standing.balance < rule.below) else { return };
        if self.asked.is_none() {
            let until = now.plus_ms(i64::from(rule.cool_down_s) * 1_000);
            self.asked = Some(Asked { request: request.clone(), until });
            news.push(News::TopUpRequested { request, amount: rule.amount, standing });
        }
    }
}

/// On which side of a threshold a balance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Below,
    /// Neither: what was told stays told, what was not is not told.
    Between,
    Above,
}

fn side(threshold: Threshold, account: &Account, standing: Standing) -> Side {
    let balance = i128::from(standing.balance.0);
    let is_below = |limit: i128| if balance < limit { Side::Below } else { Side::Above };
    match threshold {
        Threshold::Percent(percent) => match &account.plan {
            Some(plan) if !plan.credits.is_zero() => is_below(i128::from(plan.credits.0) * i128::from(percent) / 100),
            _ => Side::Between,
        },
        Threshold::Credits(credits) => is_below(i128::from(credits.0)),
        // A rate goes up and down: half as much again must be there before it is armed again.
        Threshold::RunwayMinutes(minutes) => {
            let needed = i128::from(standing.burn_per_minute.0) * i128::from(minutes);
            match standing.burn_per_minute.is_zero() {
                true => Side::Between,
                false if balance < needed => Side::Below,
                false if balance * 2 >= needed * 3 => Side::Above,
                false => Side::Between,
            }
        }
    }
}

/// Whether nothing of the account can speak for want of credit: somebody was turned away, nobody speaks and nobody who
/// waits could begin with what there is; or there is nothing left of what once was. Who was turned away before a grant
/// waits until they ask again, and is no sign of anything then.
fn is_exhausted(account: &Account) -> bool {
    let totals = &account.totals;
    let overage_left = account.limits.overage.above(totals.overage_held + totals.overage_spent);
    let nothing_held = totals.held.is_zero() && totals.overage_held.is_zero();
    let nothing_left = totals.available.is_zero() && overage_left.is_zero();
    let is_open = account.status == AccountStatus::Open;
    let turned_away = is_open && account.waiting > 0 && account.speaking == 0 && !account.could_serve_line();
    turned_away || (nothing_left && nothing_held && !totals.granted.is_zero())
}

#[cfg(test)]
mod tests {
    use footlight_ledger::{AccountId, Books, Command, GrantId, GrantName, JobId, Limits, PlanTerms, Terms};
    use uuid::Uuid;

    use super::*;
    use crate::documents::AutoTopUp;

    const fn credits(credits: i64) -> Microcredits {
        Microcredits::from_credits(credits)
    }

    /// An account of the real ledger, and what it was told.
    struct Stand {
        books: Books,
        entries: Vec<Entry>,
        watch: Watch,
        alerts: Alerts,
        now: Timestamp,
        names: u128,
    }

    impl Stand {
        fn new(thresholds: Vec<Threshold>, auto_top_up: Option<AutoTopUp>) -> Self {
            let account = Account::open(AccountId(Uuid::nil()), Timestamp(0), Limits::default());
            Self {
                watch: Watch::begin(&account),
                books: Books::new(account),
                entries: Vec::new(),
                alerts: Alerts { thresholds, auto_top_up },
                now: Timestamp(0),
                names: 0,
            }
        }

        fn apply(&mut self, command: &Command) {
            let _ = self.books.apply(&Terms::default(), self.now, command);
            self.entries.extend(self.books.take_changes().entries);
        }

        fn grant(&mut self, amount: i64) {
            self.grant_as(format!("grant {}", self.names), amount);
        }

        fn grant_as(&mut self, name: String, amount: i64) {
            self.names += 1;
            let (id, name) = (GrantId(Uuid::from_u128(self.names)), GrantName(name));
            let amount = credits(amount);
            self.apply(&Command::Grant { id, name, kind: GrantKind::TopUp, amount, expires_at: None });
        }

        fn spend(&mut self, amount: i64) {
            self.names += 1;
            let job = JobId(Uuid::from_u128(self.names));
            self.apply(&Command::HoldJob { job, amount: credits(amount) });
            self.apply(&Command::SettleJob { job });
        }

        fn pass(&mut self, ms: i64) {
            self.now = self.now.plus_ms(ms);
        }

        fn look(&mut self) -> Vec<News> {
            let new = &self.entries[usize::try_from(self.watch.next_entry).expect("few")..];
            let account = &self.books.account;
            self.names += 1;
            let request = format!("top_{}", self.names);
            let looked = look(&self.watch, account, new, &self.alerts, request, self.now);
            assert!(looked.again_at > self.now);
            self.watch = looked.watch;
            looked.news
        }

        fn words(&mut self) -> Vec<String> {
            self.look().iter().map(word).collect()
        }
    }

    fn word(news: &News) -> String {
        match news {
            News::CreditsLow { threshold, .. } => format!("low {threshold:?}"),
            News::CreditsExhausted { .. } => "exhausted".to_owned(),
            News::ToppedUp { amount, .. } => format!("topped up {amount}"),
            News::TopUpRequested { amount, .. } => format!("wants {amount}"),
            News::PeriodRolled { credits, .. } => format!("rolled {credits}"),
            News::Session { .. } | News::JobFinished { .. } => panic!("{news:?}"),
        }
    }

    #[test]
    fn a_threshold_is_told_once_per_crossing() {
        let mut stand = Stand::new(vec![Threshold::Credits(credits(100))], None);
        stand.grant(500);
        assert_eq!(stand.words(), ["topped up 500"]);
        stand.spend(399);
        assert_eq!(stand.words(), Vec::<String>::new());
        stand.spend(2);
        assert_eq!(stand.words().len(), 1);
        stand.spend(2);
        assert_eq!(stand.words(), Vec::<String>::new(), "told already");
        stand.grant(50);
        assert_eq!(stand.words(), ["topped up 50"]);
        stand.spend(60);
        assert_eq!(stand.words().len(), 1, "it rose above and fell again");
    }

    #[test]
    fn percent_is_of_the_periods_grant_and_a_roll_is_told() {
        let mut stand = Stand::new(vec![Threshold::Percent(20)], None);
        let plan = PlanTerms { name: "pro".to_owned(), credits: credits(1_000), months: 1, max_sessions: 3 };
        stand.apply(&Command::SetPlan { plan: Some(plan), grant: GrantId(Uuid::max()) });
        assert_eq!(stand.words(), Vec::<String>::new(), "whoever changed the plan knows");
        stand.spend(800);
        assert_eq!(stand.words(), Vec::<String>::new());
        stand.spend(1);
        assert_eq!(stand.words(), ["low Percent(20)"]);
        stand.pass(32 * 24 * 3_600_000);
        stand.apply(&Command::Touch);
        assert_eq!(stand.words(), ["rolled 1000"]);
        stand.spend(801);
        assert_eq!(stand.words(), ["low Percent(20)"]);
    }

    #[test]
    fn the_roll_that_brings_a_smaller_plan_is_told() {
        let mut stand = Stand::new(Vec::new(), None);
        for (credits_each, grant) in [(1_000, 1), (500, 2)] {
            let plan = PlanTerms { name: "pro".to_owned(), credits: credits(credits_each), months: 1, max_sessions: 3 };
            stand.apply(&Command::ChangePlan { plan: Some(plan), grant: GrantId(Uuid::from_u128(grant)) });
            assert_eq!(stand.words(), Vec::<String>::new());
        }
        stand.pass(32 * 24 * 3_600_000);
        stand.apply(&Command::Touch);
        assert_eq!(stand.words(), ["rolled 500"]);
        assert_eq!(stand.words(), Vec::<String>::new());
    }

    #[test]
    fn the_runway_is_measured_from_what_was_spent_lately() {
        let mut stand = Stand::new(vec![Threshold::RunwayMinutes(10)], None);
        stand.grant(1_000);
        stand.look();
        for _ in 0..5 {
            stand.pass(60_000);
            stand.spend(10);
            assert_eq!(stand.words(), Vec::<String>::new(), "95 minutes are left");
        }
        stand.pass(60_000);
        stand.spend(600);
        assert_eq!(stand.words(), ["low RunwayMinutes(10)"]);
        stand.pass(60_000);
        stand.spend(10);
        assert_eq!(stand.words(), Vec::<String>::new());
        stand.grant(9_000);
        assert_eq!(stand.words(), ["topped up 9000"]);
    }

    #[test]
    fn the_end_of_the_credits_is_told_once_until_a_grant() {
        let mut stand = Stand::new(Vec::new(), None);
        assert_eq!(stand.words(), Vec::<String>::new(), "nothing was ever there");
        stand.grant(10);
        stand.look();
        stand.spend(10);
        assert_eq!(stand.words(), ["exhausted"]);
        stand.pass(1);
        assert_eq!(stand.words(), Vec::<String>::new());
        stand.grant(10);
        stand.spend(10);
        assert_eq!(stand.words(), ["topped up 10", "exhausted"]);
    }

    #[test]
    fn a_closed_account_asks_for_no_money() {
        let rule = AutoTopUp { below: credits(100), amount: credits(500), cool_down_s: 60 };
        let mut stand = Stand::new(Vec::new(), Some(rule));
        stand.apply(&Command::SetStatus { status: AccountStatus::Closed });
        for _ in 0..3 {
            stand.pass(61_000);
            assert!(!stand.words().iter().any(|word| word.starts_with("wants")));
        }
    }

    #[test]
    fn money_is_asked_for_once_until_it_comes_or_the_cool_down_has_passed() {
        let rule = AutoTopUp { below: credits(100), amount: credits(500), cool_down_s: 3_600 };
        let mut stand = Stand::new(Vec::new(), Some(rule));
        stand.grant(150);
        stand.look();
        stand.spend(60);
        assert_eq!(stand.words(), ["wants 500"]);
        stand.spend(10);
        stand.pass(3_599_000);
        assert_eq!(stand.words(), Vec::<String>::new(), "not twice");
        stand.pass(2_000);
        assert_eq!(stand.words(), ["wants 500"], "nobody answered");
        stand.grant(5);
        assert_eq!(stand.words(), ["topped up 5"], "a present is no answer");
        let rule = stand.alerts.auto_top_up.take();
        assert_eq!(stand.words(), Vec::<String>::new());
        stand.alerts.auto_top_up = rule;
        assert_eq!(stand.words(), Vec::<String>::new(), "it is still asked for");
        let request = stand.watch.asked.clone().expect("a request").request;
        stand.grant_as(format!("payment {request}"), 5);
        assert_eq!(stand.words(), ["topped up 5", "wants 500"], "it came, and was too little");
        assert_ne!(stand.watch.asked.clone().expect("a request").request, request);
        stand.grant(500);
        assert_eq!(stand.words(), ["topped up 500"]);
        stand.spend(580);
        assert_eq!(stand.words(), Vec::<String>::new(), "the request is open");
        stand.pass(3_601_000);
        assert_eq!(stand.words(), ["wants 500"]);
    }
}
