//! What a session used becomes spent credits, and its hold grows or goes back.

use crate::account::Account;
use crate::tab::{Tab, TabState, Usage};
use crate::{EntryKind, Microcredits, Part, Units};

/// Whether usage is told in time or after the session's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    InTime,
    Late,
}

impl Account {
    /// Charges the session for all it used up to `units`: from its hold, in the order of its parts, and what went
    /// past it in grace from wherever it can be paid. Fewer units than are settled charge nothing, and units beyond
    /// what the session was ever permitted are not believed. Usage of a clock hour that is over is sealed.
    pub(crate) fn settle(&mut self, tab: &mut Tab, units: Units, told: Told) {
        let hour = self.now.hour();
        if tab.open_usage.hour != hour {
            self.seal_usage(tab);
        }
        let settled = units.min(tab.permitted);
        if settled <= tab.settled_units {
            return;
        }
        let due = tab.pricing.cost(settled) - tab.pricing.cost(tab.settled_units);
        let mut usage = match told {
            Told::InTime => std::mem::take(&mut tab.open_usage),
            Told::Late => Usage::default(),
        };
        usage.hour = hour;
        usage.units += settled - tab.settled_units;

        let mut owed = due;
        for part in &mut tab.hold {
            let spent = Part { amount: owed.min(part.amount), ..*part };
            part.amount -= spent.amount;
            owed -= spent.amount;
            self.spend_held(spent);
            usage.add_part(spent);
        }
        tab.hold.retain(|part| !part.amount.is_zero());
        let overage = owed.min(tab.overage_held);
        tab.overage_held -= overage;
        owed -= overage;
        self.spend_held_overage(overage);
        usage.overage += overage;

        let forgiven_before = usage.forgiven;
        self.pay_unheld(owed, &mut usage);
        let forgiven = usage.forgiven - forgiven_before;

        tab.settled_units = settled;
        tab.slice_end = tab.slice_end.max(settled);
        tab.charged += due - forgiven;
        tab.forgiven += forgiven;
        self.count_in_budget(tab, due - forgiven);
        match told {
            Told::InTime => tab.open_usage = usage,
            Told::Late => self.write_usage(tab, usage, Told::Late),
        }
    }

    /// Makes the hold cover what the session may use up to `end`.
    pub(crate) fn extend_hold(&mut self, tab: &mut Tab, end: Units) {
        let more = tab.pricing.cost(end) - tab.pricing.cost(tab.slice_end);
        tab.overage_held += self.hold(more, &mut tab.hold);
        tab.slice_end = end;
        self.count_in_budget(tab, Microcredits::ZERO);
    }

    /// Gives back all that is held.
    pub(crate) fn release_hold(&mut self, tab: &mut Tab) {
        let parts = std::mem::take(&mut tab.hold);
        self.give_back_overage(std::mem::take(&mut tab.overage_held));
        tab.slice_end = tab.settled_units;
        self.give_back(&parts);
        self.count_in_budget(tab, Microcredits::ZERO);
    }

    /// Moves the session to `state`, and with it the counts of those that share what is left. `need` is what it
    /// waits for, nothing unless it waits.
    pub(crate) fn stand(&mut self, tab: &mut Tab, state: TabState, need: Microcredits) {
        if tab.is_counted() {
            match tab.state {
                TabState::Speaking => {
                    self.speaking -= 1;
                    // Not below nothing: sessions that spoke before the rate was kept were never added.
                    self.burn_rate = self.burn_rate.above(tab.pricing.rate);
                }
                TabState::Waiting => self.waiting -= 1,
                TabState::Quiet | TabState::Ended { .. } => {}
            }
            match state {
                TabState::Speaking => {
                    self.speaking += 1;
                    self.burn_rate += tab.pricing.rate;
                }
                TabState::Waiting => self.waiting += 1,
                TabState::Quiet | TabState::Ended { .. } => {}
            }
            self.waiting_need = self.waiting_need - tab.need + need;
            tab.need = need;
        }
        tab.state = state;
    }

    /// Seals the open usage: it becomes an immutable entry.
    pub(crate) fn seal_usage(&mut self, tab: &mut Tab) {
        let usage = std::mem::take(&mut tab.open_usage);
        if usage.units > 0 {
            self.write_usage(tab, usage, Told::InTime);
        }
    }

    fn write_usage(&mut self, tab: &Tab, usage: Usage, told: Told) {
        self.write(EntryKind::Usage {
            session: tab.session,
            product: tab.product,
            secret: tab.secret,
            usage,
            late: told == Told::Late,
        });
    }
}

impl Usage {
    pub(crate) fn add_part(&mut self, part: Part) {
        match self.by_grant.iter_mut().find(|other| other.grant == part.grant) {
            _ if part.amount.is_zero() => {}
            Some(other) => other.amount += part.amount,
            None => self.by_grant.push(part),
        }
    }
}
