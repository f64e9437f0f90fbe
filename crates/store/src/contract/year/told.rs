//! What the journal told of a year, and what must be so.

use std::collections::BTreeMap;

use footlight_ledger::{Account, Entry, EntryKind, GrantId, GrantKind, Microcredits, Part, Timestamp};

use super::script::{Customer, PROMO, PROMO_DAYS, PlanGrant, REFUND, TOP_UP};
use super::{DAY, START};

/// One grant, as the journal tells of it.
#[derive(Debug)]
struct Grant {
    kind: GrantKind,
    at: Timestamp,
    granted: Microcredits,
    expires_at: Option<Timestamp>,
    /// When how much expired.
    expired: Vec<(Timestamp, Microcredits)>,
    spent: Microcredits,
    voided: Microcredits,
}

/// The journal so far, entry by entry as it was written.
#[derive(Default)]
pub(super) struct Told {
    next_entry: u64,
    grants: BTreeMap<GrantId, Grant>,
}

impl Told {
    /// Reads what is new.
    pub(super) fn read(&mut self, entries: &[Entry]) {
        let known = entries.partition_point(|entry| entry.number < self.next_entry);
        for entry in &entries[known..] {
            self.tell(entry);
            self.next_entry = entry.number + 1;
        }
    }

    fn tell(&mut self, entry: &Entry) {
        match &entry.kind {
            EntryKind::Granted { grant, grant_kind, amount, expires_at, .. } => {
                let told = Grant {
                    kind: *grant_kind,
                    at: entry.at,
                    granted: *amount,
                    expires_at: *expires_at,
                    expired: Vec::new(),
                    spent: Microcredits::ZERO,
                    voided: Microcredits::ZERO,
                };
                assert!(self.grants.insert(*grant, told).is_none(), "{grant} was granted twice");
            }
            EntryKind::Expired { grant, amount } => self.grant(*grant).expired.push((entry.at, *amount)),
            EntryKind::Voided { grant, amount, .. } => self.grant(*grant).voided += *amount,
            EntryKind::Usage { usage, .. } => {
                for Part { grant, amount } in &usage.by_grant {
                    self.grant(*grant).spent += *amount;
                }
                assert_eq!((usage.debt, usage.overage), (Microcredits::ZERO, Microcredits::ZERO));
            }
            _ => {}
        }
    }

    fn grant(&mut self, id: GrantId) -> &mut Grant {
        self.grants.get_mut(&id).expect("it was granted before")
    }

    /// Nothing that has expired is there any more, and the account has what the journal says it was given.
    pub(super) fn check_hour(&self, account: &Account, now: Timestamp) {
        for grant in account.grants.iter().filter(|grant| grant.has_expired(now)) {
            assert_eq!(grant.available, Microcredits::ZERO, "{grant:?}");
        }
        let granted = self.grants.values().map(|grant| grant.granted).sum();
        assert_eq!(account.totals.granted, granted);
    }

    /// Every plan grant came when it should and expired once; so did the promotion; top-ups never did.
    pub(super) fn check_year(&self, customer: &Customer, account: &Account, spoken: Microcredits) {
        let name = &customer.name;
        let of_kind = |kind| {
            let mut grants: Vec<_> = self.grants.values().filter(|grant| grant.kind == kind).collect();
            grants.sort_by_key(|grant| grant.at);
            grants
        };
        let plan = of_kind(GrantKind::Plan);
        let told: Vec<_> = plan.iter().map(|grant| (grant.at, grant.granted, grant.expires_at)).collect();
        let expected = |grant: &PlanGrant| (grant.granted_at, grant.amount, Some(grant.expires_at));
        assert_eq!(told, customer.plan_grants.iter().map(expected).collect::<Vec<_>>(), "{name}");
        for (grant, expected) in plan.iter().zip(&customer.plan_grants) {
            grant.check_end(expected.ended_at, account.now);
        }

        let promo = of_kind(GrantKind::Promo);
        assert_eq!(promo.len(), 1, "{name}");
        assert_eq!(promo[0].granted, Microcredits::from_credits(PROMO));
        promo[0].check_end(START.plus_ms(PROMO_DAYS.1 * DAY), account.now);

        let top_ups = of_kind(GrantKind::TopUp);
        assert_eq!(top_ups.len(), 3, "{name}");
        for top_up in &top_ups {
            assert_eq!((top_up.granted, &top_up.expired), (Microcredits::from_credits(TOP_UP), &Vec::new()), "{name}");
        }
        let voided: Microcredits = self.grants.values().map(|grant| grant.voided).sum();
        assert_eq!((voided, account.totals.voided), (Microcredits::from_credits(REFUND), voided), "{name}");
        assert_eq!(account.totals.spent, spoken, "{name}");
        assert_eq!((account.totals.debt, account.totals.overage_spent), (Microcredits::ZERO, Microcredits::ZERO));
    }
}

impl Grant {
    /// Once its time has come: all of it is spent or expired, what was available in one entry at that very moment, and
    /// after that only what sessions held then and gave back.
    fn check_end(&self, ended_at: Timestamp, now: Timestamp) {
        if ended_at > now {
            assert!(self.expired.is_empty(), "{self:?}");
            return;
        }
        let expired: Microcredits = self.expired.iter().map(|(_, amount)| *amount).sum();
        assert_eq!(self.granted, self.spent + expired + self.voided, "{self:?}");
        assert!(self.expired.iter().all(|(at, _)| *at >= ended_at), "{self:?}");
        let at_once = self.expired.iter().filter(|(at, _)| *at == ended_at).count();
        // Two sessions may hold across a roll.
        assert!(at_once <= 1 && self.expired.len() <= at_once + 2, "{self:?}");
    }
}
