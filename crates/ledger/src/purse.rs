//! Where an account's credits are: every movement between available, held, spent, expired and debt.
//!
//! Each movement changes a grant and the totals together and says so in the journal where the journal wants it.

use crate::account::{Account, AccountStatus, Grant, GrantKind, Totals};
use crate::{Entry, EntryKind, GrantId, GrantName, Microcredits, Part, Timestamp, Usage};

/// The most that one account may be given in its whole life, a trillion credits: sums stay far from the end of
/// an `i64`, whatever is added to them.
const GRANTED_MAX: Microcredits = Microcredits::from_credits(1_000_000_000_000);

impl Grant {
    /// A lot of `amount` of which nothing is used yet.
    pub(crate) const fn new(
        id: GrantId,
        kind: GrantKind,
        created_at: Timestamp,
        expires_at: Option<Timestamp>,
        granted: Microcredits,
    ) -> Self {
        Self {
            id,
            kind,
            created_at,
            expires_at,
            granted,
            available: granted,
            held: Microcredits::ZERO,
            spent: Microcredits::ZERO,
            expired: Microcredits::ZERO,
            voided: Microcredits::ZERO,
        }
    }

    /// Whether its time has come.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// What it burns by: kind, then earliest expiry, then oldest.
    fn burn_order(&self) -> (GrantKind, Timestamp, Timestamp) {
        (self.kind, self.expires_at.unwrap_or(Timestamp(i64::MAX)), self.created_at)
    }
}

impl Account {
    /// What could be used now: what is available and what is left of the overage limit. Nothing while there is
    /// debt, or while the account is not open.
    #[must_use]
    pub fn spendable(&self) -> Microcredits {
        if self.status == AccountStatus::Open && self.totals.debt.is_zero() {
            self.totals.available + self.overage_left()
        } else {
            Microcredits::ZERO
        }
    }

    /// Whether what may be spent is enough for one of those who wait, on an average, to begin.
    #[must_use]
    pub fn could_serve_line(&self) -> bool {
        let spendable = self.spendable();
        !spendable.is_zero() && i128::from(spendable.0) * i128::from(self.waiting) >= i128::from(self.waiting_need.0)
    }

    fn overage_left(&self) -> Microcredits {
        self.limits.overage.above(self.totals.overage_held + self.totals.overage_spent)
    }

    /// What may still be given before the bound on all grants is reached.
    pub(crate) fn grantable(&self) -> Microcredits {
        GRANTED_MAX.above(self.totals.granted)
    }

    /// Adds to the journal.
    pub(crate) fn write(&mut self, kind: EntryKind) {
        self.unwritten.push(Entry { number: self.next_entry, at: self.now, kind });
        self.next_entry += 1;
    }

    pub(crate) fn add_grant(&mut self, name: Option<GrantName>, grant: Grant) {
        self.totals.granted += grant.granted;
        self.totals.available += grant.granted;
        self.write(EntryKind::Granted {
            grant: grant.id,
            name,
            grant_kind: grant.kind,
            amount: grant.granted,
            expires_at: grant.expires_at,
        });
        let place = self.grants.partition_point(|other| other.burn_order() <= grant.burn_order());
        self.grants.insert(place, grant);
    }

    /// Sets `amount` aside: grants in burn order, then overage. Adds what is of grants to `parts`, answers the
    /// overage.
    ///
    /// # Panics
    /// When more is asked for than is spendable; the caller has looked.
    pub(crate) fn hold(&mut self, amount: Microcredits, parts: &mut Vec<Part>) -> Microcredits {
        assert!(amount <= self.spendable(), "a hold of {amount} of {}", self.spendable());
        let taken = self.take(amount, |grant, totals, amount| {
            grant.held += amount;
            totals.held += amount;
            match parts.last_mut() {
                Some(last) if last.grant == grant.id => last.amount += amount,
                _ => parts.push(Part { grant: grant.id, amount }),
            }
        });
        self.totals.overage_held += amount - taken;
        amount - taken
    }

    /// Spends what is held of one grant.
    pub(crate) fn spend_held(&mut self, part: Part) {
        let grant = self.grant_mut(part.grant);
        grant.held -= part.amount;
        grant.spent += part.amount;
        self.totals.held -= part.amount;
        self.totals.spent += part.amount;
    }

    /// Spends what is held as overage.
    pub(crate) fn spend_held_overage(&mut self, amount: Microcredits) {
        self.totals.overage_held -= amount;
        self.totals.overage_spent += amount;
    }

    /// Pays for what was used without a hold, as far as anything reaches: available credits, then overage, then
    /// debt up to its cap. Adds it to `usage`; what the cap kept from being charged is `forgiven` there.
    pub(crate) fn pay_unheld(&mut self, amount: Microcredits, usage: &mut Usage) {
        let taken = self.take(amount, |grant, totals, amount| {
            grant.spent += amount;
            totals.spent += amount;
            usage.add_part(Part { grant: grant.id, amount });
        });
        let mut owed = amount - taken;
        let overage = owed.min(self.overage_left());
        self.totals.overage_spent += overage;
        usage.overage += overage;
        owed -= overage;
        let debt = owed.min(self.limits.debt.above(self.totals.debt));
        self.totals.debt += debt;
        self.totals.spent += debt;
        usage.debt += debt;
        usage.forgiven += owed - debt;
    }

    /// Gives parts of a hold back, the last first. What belongs to a grant that has expired meanwhile expires, the
    /// rest is available again and repays debt.
    pub(crate) fn give_back(&mut self, parts: &[Part]) {
        let now = self.now;
        for &Part { grant: id, amount } in parts.iter().rev() {
            let grant = self.grant_mut(id);
            grant.held -= amount;
            let expires = grant.has_expired(now);
            *(if expires { &mut grant.expired } else { &mut grant.available }) += amount;
            self.totals.held -= amount;
            if expires {
                self.totals.expired += amount;
                self.write(EntryKind::Expired { grant: id, amount });
            } else {
                self.totals.available += amount;
            }
        }
        self.repay_debt();
    }

    /// Gives held overage back.
    pub(crate) fn give_back_overage(&mut self, amount: Microcredits) {
        self.totals.overage_held -= amount;
    }

    /// Takes back up to `amount` of what is available of a grant; answers how much. `None` when no such grant is
    /// left.
    pub(crate) fn void(&mut self, id: GrantId, amount: Microcredits) -> Option<Microcredits> {
        let grant = self.grants.iter_mut().find(|grant| grant.id == id)?;
        let amount = amount.min(grant.available);
        grant.available -= amount;
        grant.voided += amount;
        self.totals.available -= amount;
        self.totals.voided += amount;
        Some(amount)
    }

    /// Whatever is available repays debt before anything else. The spending was counted when the debt was made.
    pub(crate) fn repay_debt(&mut self) {
        if self.totals.debt.is_zero() || self.totals.available.is_zero() {
            return;
        }
        let mut repaid = Vec::new();
        self.take(self.totals.debt, |grant, totals, amount| {
            grant.spent += amount;
            totals.debt -= amount;
            repaid.push(EntryKind::DebtRepaid { grant: grant.id, amount });
        });
        for kind in repaid {
            self.write(kind);
        }
    }

    /// Forgets grants of which nothing is left: the totals remember them.
    pub(crate) fn drop_used_grants(&mut self) {
        self.grants.retain(|grant| !(grant.available + grant.held).is_zero());
    }

    /// Takes up to `amount` from what is available, in burn order, and puts each part where `put` says. Answers
    /// how much there was.
    fn take(
        &mut self,
        amount: Microcredits,
        mut put: impl FnMut(&mut Grant, &mut Totals, Microcredits),
    ) -> Microcredits {
        let mut wanted = amount;
        for grant in &mut self.grants {
            if wanted.is_zero() {
                break;
            }
            let part = wanted.min(grant.available);
            if !part.is_zero() {
                grant.available -= part;
                self.totals.available -= part;
                put(grant, &mut self.totals, part);
                wanted -= part;
            }
        }
        amount - wanted
    }

    fn grant_mut(&mut self, id: GrantId) -> &mut Grant {
        self.grants.iter_mut().find(|grant| grant.id == id).expect("a grant is kept while anything of it is held")
    }
}
