//! Usage summed up: by day, product, model, surface, session or secret, as JSON or CSV.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use actix_web::{HttpResponse, web};
use footlight_ledger::{EntryKind, Microcredits, Product, SecretId, SessionId, Timestamp, Units};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::scan;
use super::usage::open_usage;
use crate::auth::Authenticated;
use crate::body::QueryOf;
use crate::json::{Credits, Instant, UsageJson, product};
use crate::problem::{Problem, ProblemSchema};
use crate::state::ApiState;

/// Journal entries summed up at most: some 200 MB of reading for a store.
const ENTRIES_MAX: usize = 1_000_000;
/// Rows at most.
const ROWS_MAX: usize = 10_000;
const DAY_MS: i64 = 86_400_000;

/// What to sum up, and by what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SummaryQuery {
    /// One row for each: `hour`, `day` (UTC), `product`, `model`, `surface`, `session`, `secret`; several separated by
    /// commas. `day` unless said otherwise.
    #[param(example = "day,model")]
    pub group_by: Option<String>,
    /// `json` or `csv`.
    #[param(inline)]
    pub format: Option<Format>,
    /// Only hours that begin at this instant or later.
    #[param(value_type = Option<String>, example = "2026-11-01T00:00:00Z")]
    pub from: Option<Instant>,
    /// Only hours that begin before this instant.
    #[param(value_type = Option<String>, example = "2026-12-01T00:00:00Z")]
    pub to: Option<Instant>,
    /// Only this session.
    #[param(value_type = Option<String>)]
    pub session: Option<SessionId>,
    /// Only this product.
    #[param(value_type = Option<String>, example = "essence_cloud")]
    pub product: Option<Product>,
    /// Only what was opened with this secret.
    #[param(value_type = Option<String>)]
    pub secret: Option<SecretId>,
}

/// How a summary is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    #[default]
    Json,
    Csv,
}

/// What rows are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    Hour,
    Day,
    Product,
    Model,
    Surface,
    Session,
    Secret,
}

impl By {
    const ALL: [(&'static str, Self); 7] = [
        ("hour", Self::Hour),
        ("day", Self::Day),
        ("product", Self::Product),
        ("model", Self::Model),
        ("surface", Self::Surface),
        ("session", Self::Session),
        ("secret", Self::Secret),
    ];
}

/// What one row is of; what it is not told apart by is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Key {
    hour: Option<Instant>,
    day: Option<i64>,
    product: Option<Product>,
    model: Option<&'static str>,
    surface: Option<&'static str>,
    session: Option<SessionId>,
    secret: Option<SecretId>,
}

impl Key {
    fn of(usage: &UsageJson, by: &[By]) -> Self {
        let (model, surface) = product::parts(usage.product);
        let mut key = Self::default();
        for by in by {
            match by {
                By::Hour => key.hour = Some(usage.hour),
                By::Day => key.day = Some(usage.hour.0.0.div_euclid(DAY_MS)),
                By::Product => key.product = Some(usage.product),
                By::Model => key.model = model,
                By::Surface => key.surface = surface,
                By::Session => key.session = Some(usage.session_id),
                By::Secret => key.secret = usage.secret,
            }
        }
        key
    }
}

/// The sums of one row.
#[derive(Debug, Default)]
struct Sums {
    units: Units,
    credits: Microcredits,
    debt: Microcredits,
    overage: Microcredits,
}

/// Usage, summed up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageSummary)]
pub(crate) struct SummaryJson {
    /// The rows, in order.
    pub data: Vec<RowJson>,
    /// The sum of them all.
    pub total_credits: Credits,
}

/// One row. What it is not told apart by is null, and so is what a product does not have.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageSummaryRow)]
pub(crate) struct RowJson {
    /// The beginning of the hour.
    pub hour: Option<Instant>,
    /// The day, in UTC.
    #[schema(example = "2026-11-25")]
    pub day: Option<String>,
    /// The product.
    #[schema(value_type = Option<String>, example = "essence_cloud")]
    pub product: Option<Product>,
    /// The model.
    pub model: Option<&'static str>,
    /// The surface.
    pub surface: Option<&'static str>,
    /// The session.
    #[schema(value_type = Option<String>)]
    pub session_id: Option<SessionId>,
    /// The secret that sessions were opened with.
    #[schema(value_type = Option<String>)]
    pub secret: Option<SecretId>,
    /// What was counted: active frames and, for products that pay for connected time, milliseconds.
    pub units: Units,
    /// What it cost in all, in credits: from grants, as debt and as overage.
    pub credits: Credits,
    /// The part that became debt.
    pub debt: Credits,
    /// The part that is overage.
    pub overage: Credits,
}

impl RowJson {
    fn of(key: Key, sums: &Sums) -> Self {
        Self {
            hour: key.hour,
            day: key.day.map(date),
            product: key.product,
            model: key.model,
            surface: key.surface,
            session_id: key.session,
            secret: key.secret,
            units: sums.units,
            credits: sums.credits.into(),
            debt: sums.debt.into(),
            overage: sums.overage.into(),
        }
    }
}

/// The date of a day counted from 1970.
fn date(day: i64) -> String {
    Instant(Timestamp(day.saturating_mul(DAY_MS))).to_string().chars().take_while(|c| *c != 'T').collect()
}

/// Sum up usage
///
/// By hour, day, product, model, surface, session or secret, or several of them, for charts and bills; what may still grow
/// is included. As CSV the first line names the columns. An account gets one at a time: ask for the next when it is there.
#[utoipa::path(
    get, path = "/v1/usage/summary", tag = "credits", operation_id = "usage_summary", params(SummaryQuery),
    responses(
        (status = 200, description = "The sums", content((SummaryJson = "application/json"), (String = "text/csv"))),
        (status = 503, description = "`capacity`, `store_unreachable`, with `Retry-After`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn summary(
    state: web::Data<ApiState>,
    caller: Authenticated,
    query: QueryOf<SummaryQuery>,
) -> Result<HttpResponse, Problem> {
    let query = query.0;
    let by = query.by()?;
    let _turn = state.summaries.take(caller.account).await?;
    let mut rows = Rows { query: &query, by: &by, sums: BTreeMap::new() };
    // First, and the journal only up to where it ended then: an hour that is sealed meanwhile counts once.
    let open = open_usage(&state, caller).await?;
    let mut from = scan::first_from(&state, caller.account, query.from).await?;
    let mut at_the_end = false;
    for _ in 0..ENTRIES_MAX / scan::BLOCK {
        let entries = state.node.store().list_entries(caller.account, from, scan::BLOCK).await?;
        at_the_end = entries.len() < scan::BLOCK;
        for entry in entries {
            if entry.number >= open.journal_end {
                at_the_end = true;
                break;
            }
            from = entry.number + 1;
            if let EntryKind::Usage { session, product, secret, usage, late } = &entry.kind {
                rows.add(&UsageJson::sealed(*session, *product, *secret, usage, *late))?;
            }
        }
        if at_the_end {
            break;
        }
    }
    if !at_the_end {
        let detail =
            format!("leaves more than the {ENTRIES_MAX} journal entries that are summed up at once: say a later one");
        return Err(Problem::field("from", detail));
    }
    for usage in &open.rows {
        rows.add(usage)?;
    }
    Ok(match query.format.unwrap_or_default() {
        Format::Json => HttpResponse::Ok().json(rows.json()),
        Format::Csv => HttpResponse::Ok().content_type("text/csv; charset=utf-8").body(rows.csv()),
    })
}

impl SummaryQuery {
    fn by(&self) -> Result<Vec<By>, Problem> {
        let word = |word: &str| {
            By::ALL.into_iter().find(|(name, _)| *name == word).map(|(_, by)| by).ok_or_else(|| {
                let (word, names): (String, Vec<_>) =
                    (word.chars().take(64).collect(), By::ALL.map(|(name, _)| name).into());
                Problem::field("group_by", format!("has no `{word}`; there are {}", names.join(", ")))
            })
        };
        let mut by = self.group_by.as_deref().unwrap_or("day").split(',').map(word).collect::<Result<Vec<_>, _>>()?;
        by.sort_unstable();
        by.dedup();
        Ok(by)
    }

    fn wants(&self, usage: &UsageJson) -> bool {
        self.from.is_none_or(|from| usage.hour >= from)
            && self.to.is_none_or(|to| usage.hour < to)
            && self.session.is_none_or(|session| usage.session_id == session)
            && self.product.is_none_or(|product| usage.product == product)
            && self.secret.is_none_or(|secret| usage.secret == Some(secret))
    }
}

/// The rows so far.
struct Rows<'a> {
    query: &'a SummaryQuery,
    by: &'a [By],
    sums: BTreeMap<Key, Sums>,
}

impl Rows<'_> {
    fn add(&mut self, usage: &UsageJson) -> Result<(), Problem> {
        if !self.query.wants(usage) {
            return Ok(());
        }
        let sums = self.sums.entry(Key::of(usage, self.by)).or_default();
        sums.units += usage.units;
        sums.credits += usage.credits.0;
        sums.debt += usage.debt.0;
        sums.overage += usage.overage.0;
        if self.sums.len() > ROWS_MAX {
            let detail = format!("makes more than {ROWS_MAX} rows: group by less, or narrow `from` and `to`");
            return Err(Problem::field("group_by", detail));
        }
        Ok(())
    }

    fn json(&self) -> SummaryJson {
        let total: Microcredits = self.sums.values().map(|sums| sums.credits).sum();
        let data = self.sums.iter().map(|(key, sums)| RowJson::of(*key, sums)).collect();
        SummaryJson { data, total_credits: total.into() }
    }

    /// A column for each thing that rows are told apart by. No value has a comma or a quote in it.
    fn csv(&self) -> String {
        let named = |by: &By| By::ALL.into_iter().find(|(_, other)| other == by).map_or("", |(name, _)| name);
        let mut text = String::new();
        for by in self.by {
            let _ = write!(text, "{},", named(by));
        }
        text.push_str("units,credits,debt,overage\r\n");
        for (key, sums) in &self.sums {
            for by in self.by {
                let value = match by {
                    By::Hour => key.hour.map(|hour| hour.to_string()),
                    By::Day => key.day.map(date),
                    By::Product => key.product.map(|product| product.to_string()),
                    By::Model => key.model.map(str::to_owned),
                    By::Surface => key.surface.map(str::to_owned),
                    By::Session => key.session.map(|session| session.to_string()),
                    By::Secret => key.secret.map(|secret| secret.to_string()),
                };
                let _ = write!(text, "{},", value.unwrap_or_default());
            }
            let Sums { units, credits, debt, overage } = sums;
            let _ = write!(text, "{units},{credits},{debt},{overage}\r\n");
        }
        text
    }
}
