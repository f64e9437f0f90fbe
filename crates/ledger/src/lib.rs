//! The credit ledger of Footlight: every rule about credits, as one pure machine.
//!
//! Nothing in this crate knows a clock, IO, async or randomness: time and ids are arguments. Stores
//! load a [`Books`] (one account with what a batch of commands touches), call [`Books::apply`] and
//! commit the [`Changes`] if the account is still the one that was read.
//!
//! Suggested reading order: [`credits`], [`pricing`], [`account`], [`tab`], [`command`], [`books`] (the
//! machine), [`journal`], [`audit`]. What the rules mean, with examples, is in the crate's README.

pub mod account;
pub mod audit;
pub mod books;
pub mod budget;
mod calendar;
pub mod command;
pub mod credits;
pub mod ids;
pub mod journal;
pub mod period;
pub mod plan_change;
pub mod pricing;
mod purse;
mod settle;
mod sharing;
mod sum_rule;
pub mod tab;
pub mod terms;
pub mod time;

pub use account::{Account, AccountStatus, Balance, Grant, GrantKind, Limits, PlanTerms, Totals};
pub use audit::{Audit, Checkpoint, Difference};
pub use books::{Applied, Books, Changes, JobHold, NamedOperation, Touched};
pub use budget::{Budget, LimitPer, SpendingLimit};
pub use command::{Ask, Command, EndReason, Outcome, PauseReason, Refusal, SliceAnswer, Verdict};
pub use credits::Microcredits;
pub use ids::{AccountId, BootId, EventId, GrantId, GrantName, HookId, InvalidId, JobId, SecretId, SessionId};
pub use journal::{Entry, EntryKind};
pub use period::Period;
pub use plan_change::{NextPlan, PlanChange};
pub use pricing::{Counting, Pricing, Product, RateCard, Rounding, Surface, Tariff, Units};
pub use tab::{Part, Tab, TabState, Usage};
pub use terms::Terms;
pub use time::Timestamp;
