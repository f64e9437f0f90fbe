//! The sum rule, asserted after every command. A ledger that does not add up must stop before it is written.

use crate::account::{Account, Grant, Totals};
use crate::{Microcredits, Tab};

impl Totals {
    /// What the two sides of the sum rule differ by: granted + debt, less everything that credits can become.
    #[must_use]
    pub fn imbalance(&self) -> Microcredits {
        let used = self.available + self.held + self.spent + self.expired + self.voided;
        self.granted + self.debt - used
    }
}

/// # Panics
/// When the totals do not add up, or are not the sums of the grants.
pub(crate) fn assert_account(account: &Account) {
    let Account { totals, grants, .. } = account;
    assert!(totals.imbalance().is_zero(), "the totals do not add up: {totals:?}");
    assert!(
        totals.debt.is_zero() || totals.available.is_zero(),
        "credits are available while there is debt: {totals:?}"
    );
    let Totals { granted, debt, available, held, spent, expired, voided, overage_held, overage_spent } = *totals;
    for amount in [granted, debt, available, held, spent, expired, voided, overage_held, overage_spent] {
        assert!(amount >= Microcredits::ZERO, "a total is below zero: {totals:?}");
    }
    for grant in grants {
        assert_grant(grant);
    }
    let in_grants = |amount: fn(&Grant) -> Microcredits| grants.iter().map(amount).sum::<Microcredits>();
    assert_eq!(in_grants(|grant| grant.available), available, "available is not the sum of the grants");
    assert_eq!(in_grants(|grant| grant.held), held, "held is not the sum of the grants");
    assert!(account.waiting > 0 || account.waiting_need.is_zero(), "nobody waits for what is needed");
}

fn assert_grant(grant: &Grant) {
    let Grant { granted, available, held, spent, expired, voided, .. } = *grant;
    for amount in [granted, available, held, spent, expired, voided] {
        assert!(amount >= Microcredits::ZERO, "a grant is below zero: {grant:?}");
    }
    assert_eq!(granted, available + held + spent + expired + voided, "a grant does not add up: {grant:?}");
}

/// # Panics
/// When a session was not charged the price of what is settled, or does not hold the price of its slice.
pub(crate) fn assert_tab(tab: &Tab) {
    let settled = tab.pricing.cost(tab.settled_units);
    assert_eq!(tab.charged + tab.forgiven, settled, "a session is not charged what it used: {tab:?}");
    let slice = tab.pricing.cost(tab.slice_end) - settled;
    assert_eq!(tab.held(), slice, "a session does not hold the price of its slice: {tab:?}");
}
