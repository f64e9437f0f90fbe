//! The settings' prices, plans and timings in the ledger's words.

use std::collections::BTreeMap;
use std::time::Duration;

use footlight_ledger::{Limits, Microcredits, PlanTerms, RateCard, Tariff, Terms};

use crate::settings::Settings;

/// Timings and limits that accounts and nodes agree on.
pub(crate) fn terms(settings: &Settings) -> Terms {
    let metering = &settings.metering;
    Terms {
        heartbeat_ms: ms(metering.heartbeat),
        min_slice_ms: ms(metering.min_slice),
        grace_ms: ms(metering.grace),
        // The one account of development has no plan.
        max_sessions_without_plan: if settings.unmetered { 0 } else { settings.sessions.max_without_plan },
        ..Terms::default()
    }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The price list.
pub(crate) fn rate_card(settings: &Settings) -> RateCard {
    let tariff = |line: &crate::settings::TariffSettings| Tariff {
        rate: line.rate.0,
        counting: line.counting,
        rounding: line.rounding,
    };
    RateCard(settings.rate_card.iter().map(|(product, line)| (*product, tariff(line))).collect())
}

/// The plans.
pub(crate) fn plans(settings: &Settings) -> BTreeMap<String, PlanTerms> {
    let terms = |name: &String, plan: &crate::settings::PlanSettings| PlanTerms {
        name: name.clone(),
        credits: plan.credits.0,
        months: 1,
        max_sessions: plan.max_sessions,
    };
    settings.plans.iter().map(|(name, plan)| (name.clone(), terms(name, plan))).collect()
}

/// A new account's limits.
pub(crate) fn limits(settings: &Settings) -> Limits {
    Limits { debt: settings.metering.debt_limit.0, overage: Microcredits::ZERO }
}
