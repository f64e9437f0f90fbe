//! The price list.

use footlight_ledger::{Counting, Product, RateCard, Rounding};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Credits, product};
use crate::options::{ApiOptions, PlanTerm};

/// The price list of this node.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pricing)]
pub struct PricingJson {
    /// What a minute costs, by product.
    pub products: Vec<ProductPriceJson>,
    /// What there is to subscribe to.
    pub plans: Vec<PlanPriceJson>,
    /// Credits for one US dollar when topping up.
    pub top_up_credits_per_usd: u32,
}

/// What a minute of one product costs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProductPrice)]
pub struct ProductPriceJson {
    /// The product.
    #[schema(value_type = String, example = "essence_cloud")]
    pub product: Product,
    /// Its model; null where it has none.
    pub model: Option<&'static str>,
    /// Its surface; null where it has none.
    pub surface: Option<&'static str>,
    /// Credits per minute.
    pub rate_credits_per_minute: Credits,
    /// `frames` (only active frames count) or `connected` (the time between start and stop).
    #[schema(value_type = String, example = "frames")]
    pub counting: Counting,
    /// `exact` (to the frame) or `whole_minute`.
    #[schema(value_type = String, example = "exact")]
    pub rounding: Rounding,
}

/// A plan.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanPrice)]
pub struct PlanPriceJson {
    /// Its name.
    #[schema(example = "creator")]
    pub name: String,
    /// Credits granted at the start of each period; they expire at its end.
    pub credits: Credits,
    /// Months in a period.
    pub months: u8,
    /// The most sessions at once.
    pub max_sessions: u32,
    /// What a period costs, in US dollars.
    pub price_usd: u32,
    /// The same plan by the year; null when it is not offered.
    pub annual: Option<AnnualPriceJson>,
}

/// A plan by the year: one grant of twelve months' credits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AnnualPrice)]
pub struct AnnualPriceJson {
    /// Credits granted at the start of each year; they expire at its end.
    pub credits: Credits,
    /// What a year costs, in US dollars.
    pub price_usd: u32,
}

impl PricingJson {
    /// The list, in the order of the products.
    #[must_use]
    pub fn of(rate_card: &RateCard, options: &ApiOptions) -> Self {
        let products = rate_card.0.iter().map(|(&product, tariff)| {
            let (model, surface) = product::parts(product);
            ProductPriceJson {
                product,
                model,
                surface,
                rate_credits_per_minute: tariff.rate.into(),
                counting: tariff.counting,
                rounding: tariff.rounding,
            }
        });
        let plans = options.plans.iter().map(|offer| PlanPriceJson {
            name: offer.terms.name.clone(),
            credits: offer.terms.credits.into(),
            months: offer.terms.months,
            max_sessions: offer.terms.max_sessions,
            price_usd: offer.price_usd,
            annual: offer.price_usd_year.map(|price_usd| AnnualPriceJson {
                credits: PlanTerm::Annual.applied_to(&offer.terms).credits.into(),
                price_usd,
            }),
        });
        Self {
            products: products.collect(),
            plans: plans.collect(),
            top_up_credits_per_usd: options.payments.credits_per_usd,
        }
    }
}
