//! Grants, voids, limits and status: what an operator or a payment does to an account.

use uuid::Uuid;

use super::{Books, NamedOperation};
use crate::account::{AccountStatus, Grant, GrantKind, Limits};
use crate::{
    Budget, EntryKind, GrantId, GrantName, Microcredits, Outcome, Refusal, SecretId, SpendingLimit, Timestamp, calendar,
};

/// The most one operation may give or allow: a billion credits.
const AMOUNT_MAX: Microcredits = Microcredits::from_credits(1_000_000_000);
/// The most grants with credits left: the account is read and written whole, so it must stay small.
pub(super) const GRANTS_MAX: usize = 1_000;
/// The most secrets with a spending limit, for the same reason.
const BUDGETS_MAX: usize = 100;
/// The longest name of an operation, in bytes.
const NAME_MAX: usize = 255;

impl Books {
    pub(super) fn grant(
        &mut self,
        id: GrantId,
        name: &GrantName,
        kind: GrantKind,
        amount: Microcredits,
        expires_at: Option<Timestamp>,
    ) -> Result<Outcome, Refusal> {
        let body = digest(&format!("grant {kind:?} {} {:?}", amount.0, expires_at.map(|at| at.0)));
        if let Some(earlier) = self.earlier(name, body)? {
            let NamedOperation { grant, amount, .. } = *earlier;
            return Ok(Outcome::Granted { grant, amount, replayed: true });
        }
        if self.account.status == AccountStatus::Closed {
            return Err(Refusal::Closed);
        }
        check_amount("an amount", amount, Microcredits(1))?;
        if amount > self.account.grantable() || self.account.grants.len() >= GRANTS_MAX {
            let what = format!("one more grant beside {}", self.account.grants.len());
            return Err(Refusal::OutOfRange { what });
        }
        self.check_new_grant_id(id)?;
        let expires_at = self.expiry_of(kind, expires_at)?;
        let now = self.account.now;
        self.account.add_grant(Some(name.clone()), Grant::new(id, kind, now, expires_at, amount));
        self.account.repay_debt();
        self.remember_operation(name, NamedOperation { grant: id, amount, body });
        Ok(Outcome::Granted { grant: id, amount, replayed: false })
    }

    /// When a grant of `kind` ends: plan credits with their period at the latest, top-ups never.
    fn expiry_of(&self, kind: GrantKind, asked: Option<Timestamp>) -> Result<Option<Timestamp>, Refusal> {
        if let Some(expires_at) = asked.filter(|at| *at <= self.account.now) {
            return Err(Refusal::AlreadyExpired { expires_at });
        }
        let period_ends_at = self.account.period.map(|period| period.ends_at);
        match kind {
            GrantKind::TopUp if asked.is_some() => Err(Refusal::TopUpExpires),
            GrantKind::Plan if asked.is_none() && period_ends_at.is_none() => Err(Refusal::NoPeriod),
            GrantKind::Plan => Ok(asked.into_iter().chain(period_ends_at).min()),
            GrantKind::TopUp | GrantKind::Promo => Ok(asked),
        }
    }

    pub(super) fn void_grant(
        &mut self,
        name: &GrantName,
        grant: GrantId,
        amount: Microcredits,
    ) -> Result<Outcome, Refusal> {
        let body = digest(&format!("void {grant} {}", amount.0));
        if let Some(earlier) = self.earlier(name, body)? {
            return Ok(Outcome::Voided { amount: earlier.amount });
        }
        check_amount("an amount", amount, Microcredits(1))?;
        let amount = self.account.void(grant, amount).ok_or(Refusal::UnknownGrant)?;
        self.account.write(EntryKind::Voided { grant, name: name.clone(), amount });
        self.remember_operation(name, NamedOperation { grant, amount, body });
        Ok(Outcome::Voided { amount })
    }

    pub(super) fn set_limits(&mut self, limits: Limits) -> Result<Outcome, Refusal> {
        check_amount("the debt limit", limits.debt, Microcredits::ZERO)?;
        check_amount("the overage limit", limits.overage, Microcredits::ZERO)?;
        if self.account.limits != limits {
            self.account.limits = limits;
            self.account.write(EntryKind::LimitsSet { limits });
        }
        Ok(Outcome::LimitsSet)
    }

    pub(super) fn set_spending_limit(
        &mut self,
        secret: SecretId,
        limit: Option<SpendingLimit>,
    ) -> Result<Outcome, Refusal> {
        if let Some(limit) = limit {
            check_amount("a spending limit", limit.credits, Microcredits::ZERO)?;
        }
        let account = &mut self.account;
        if account.budget(secret).map(|budget| budget.limit) == limit {
            return Ok(Outcome::LimitsSet);
        }
        let place = account.budgets.iter().position(|budget| budget.secret == secret);
        match (place, limit) {
            (Some(place), Some(limit)) => account.budgets[place].limit = limit,
            (Some(place), None) => drop(account.budgets.remove(place)),
            (None, Some(_)) if account.budgets.len() >= BUDGETS_MAX => {
                let what = format!("one more secret with a spending limit beside {BUDGETS_MAX}");
                return Err(Refusal::OutOfRange { what });
            }
            (None, Some(limit)) => account.budgets.push(Budget {
                secret,
                limit,
                month: calendar::month_of(account.now),
                spent: Microcredits::ZERO,
                held: Microcredits::ZERO,
                serial: account.next_entry,
            }),
            (None, None) => {}
        }
        account.write(EntryKind::SpendingLimitSet { secret, limit });
        // A limit that is lifted shows in no sum.
        self.ask_again = true;
        Ok(Outcome::LimitsSet)
    }

    pub(super) fn carry_spending_limit(&mut self, from: SecretId, to: SecretId) -> Result<Outcome, Refusal> {
        let Some(Budget { limit, spent, .. }) = self.account.budget(from).cloned() else {
            return Ok(Outcome::LimitsSet);
        };
        // Again: it has spent of it by itself since.
        if self.account.budget(to).is_some() {
            return Ok(Outcome::LimitsSet);
        }
        let set = self.set_spending_limit(to, Some(limit))?;
        for budget in self.account.budgets.iter_mut().filter(|budget| budget.secret == to) {
            budget.spent = spent;
        }
        Ok(set)
    }

    pub(super) fn set_status(&mut self, status: AccountStatus) -> Result<Outcome, Refusal> {
        if self.account.status != status {
            if self.account.status == AccountStatus::Closed {
                return Err(Refusal::Closed);
            }
            self.account.status = status;
            self.account.write(EntryKind::StatusSet { status });
        }
        Ok(Outcome::StatusSet)
    }

    /// What this name was used for before, if it was for the same thing.
    pub(super) fn earlier(&self, name: &GrantName, body: u64) -> Result<Option<&NamedOperation>, Refusal> {
        if !(1..=NAME_MAX).contains(&name.0.len()) {
            let what = format!("an operation's name of {} bytes (1 to {NAME_MAX})", name.0.len());
            return Err(Refusal::OutOfRange { what });
        }
        match self.names.get(name) {
            Some(operation) if operation.body == body => Ok(Some(operation)),
            Some(_) => Err(Refusal::NameTaken),
            None => Ok(None),
        }
    }

    pub(super) fn remember_operation(&mut self, name: &GrantName, operation: NamedOperation) {
        self.dirty.names.insert(name.clone());
        self.names.insert(name.clone(), operation);
    }

    pub(super) fn check_new_grant_id(&self, id: GrantId) -> Result<(), Refusal> {
        let taken = self.account.grants.iter().any(|grant| grant.id == id);
        if taken { Err(Refusal::NameTaken) } else { Ok(()) }
    }
}

pub(super) fn check_amount(what: &str, amount: Microcredits, least: Microcredits) -> Result<(), Refusal> {
    if (least..=AMOUNT_MAX).contains(&amount) {
        return Ok(());
    }
    Err(Refusal::OutOfRange { what: format!("{what} of {amount} credits ({least} to {AMOUNT_MAX})") })
}

/// A digest of an operation's body: half of the SHA-1 that makes a UUID of version 5. It tells a mistake from a
/// repeat; it does not guard against somebody who looks for two bodies with one digest.
pub(super) fn digest(body: &str) -> u64 {
    Uuid::new_v5(&Uuid::nil(), body.as_bytes()).as_u64_pair().1
}
