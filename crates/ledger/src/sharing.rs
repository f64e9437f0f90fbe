//! How much of what is left one session may use before it asks again.
//!
//! While there is plenty everyone gets a whole heartbeat. When credits run low, each gets an even share of what it
//! could reach, between the shortest slice and one heartbeat, first come first served. Three rules keep
//! that fair to the last frame:
//!
//! - **Those in line come first.** Who waits has already asked. Whoever does not wait leaves the shortest slice of
//!   each of them untouched: a new session cannot overtake them, and one that speaks all the time cannot
//!   live on what trickles back while they wait. In line, the order is the order in which they ask.
//! - **Nobody who speaks loses what it has.** A slice never ends earlier than it was said to.
//! - **The last frame is used.** Who waits needs the shortest slice to begin again. Who speaks goes on to
//!   the last frame that can be paid for, if what is left is too little for anyone in line.

use crate::{Microcredits, Pricing, Terms, Units};

/// What a session that asks for a slice has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) pricing: Pricing,
    pub(crate) settled: Units,
    /// Cumulative units that its hold covers.
    pub(crate) slice_end: Units,
    pub(crate) place: Place,
    /// What it may set aside beyond its hold as far as its secret goes, if that has a limit.
    pub(crate) allowance: Option<Microcredits>,
}

/// Where an asker comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It was quiet.
    New,
    /// It held a slice, perhaps used to its end just now.
    Speaking,
    /// It asked before and got nothing.
    InLine,
}

/// What there is to share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pool {
    /// What could be used now, the asker's own hold apart.
    pub(crate) spendable: Microcredits,
    /// Sessions that share it: those that speak or wait, the asker included.
    pub(crate) sharers: u32,
    /// Other sessions that wait.
    pub(crate) waiting: u32,
    /// What those need to begin, together.
    pub(crate) waiting_need: Microcredits,
}

/// What the asker gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// It may go on to `end`, and ask again.
    More { end: Units },
    /// It may go on to `end`, which is as far as it can be paid.
    Last { end: Units },
    /// Nothing: it needs `need`.
    Nothing {
        need: Microcredits,
        /// Whether there would be enough, were it not for those who wait.
        behind_others: bool,
    },
    /// Nothing: its secret may spend no more.
    OverLimit,
}

/// Shares `pool` with `asker`.
pub(crate) fn share(terms: &Terms, asker: &Asker, pool: &Pool) -> Share {
    let Asker { pricing, settled, slice_end, place, allowance } = *asker;
    let shortest_end = settled + shortest_slice(terms, &pricing);
    let longest_end = shortest_end.max(settled + pricing.units_in(terms.heartbeat_ms));
    if pricing.is_free() {
        return Share::More { end: longest_end.max(slice_end) };
    }

    let paid = pricing.cost(settled);
    let own = pricing.cost(slice_end) - paid;
    let reach = own + pool.spendable;
    let enough_for_one_in_line =
        i128::from(pool.spendable.0) * i128::from(pool.waiting) >= i128::from(pool.waiting_need.0);
    let limit = match place {
        Place::InLine => reach,
        Place::Speaking if !enough_for_one_in_line => reach,
        Place::Speaking | Place::New => own + pool.spendable.above(pool.waiting_need),
    };

    let end_for = |amount| pricing.affordable(paid + amount).expect("it is not free");
    let least_end = if place == Place::Speaking { settled + 1 } else { shortest_end };
    let allowed = allowance.map(|allowance| own + allowance);
    if allowed.is_some_and(|allowed| end_for(allowed).max(slice_end) < least_end) {
        return Share::OverLimit;
    }
    let limit = allowed.map_or(limit, |allowed| limit.min(allowed));
    let even_share = Microcredits(reach.0 / i64::from(pool.sharers.max(1)));
    let wanted_end = end_for(even_share).clamp(shortest_end, longest_end);
    let limit_end = end_for(limit);
    let end = wanted_end.min(limit_end).max(slice_end);

    if end < least_end {
        let need = pricing.cost(shortest_end) - paid;
        return Share::Nothing { need, behind_others: need <= reach && limit < reach };
    }
    if limit_end <= end { Share::Last { end } } else { Share::More { end } }
}

/// Units of the shortest slice: a begun unit counts whole, and it is at least one.
pub(crate) fn shortest_slice(terms: &Terms, pricing: &Pricing) -> Units {
    let whole = pricing.units_in(terms.min_slice_ms);
    let exact =
        i128::from(whole) * 60_000 == i128::from(terms.min_slice_ms.max(0)) * i128::from(pricing.units_per_minute);
    (whole + u64::from(!exact)).max(1)
}

#[cfg(test)]
mod tests;
