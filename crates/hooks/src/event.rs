//! What an account is told of.

use std::fmt;
use std::str::FromStr;

use footlight_ledger::{AccountId, EventId, GrantId, GrantKind, JobId, Microcredits, Timestamp};
use footlight_session::{SessionChange, SessionId, SessionRecord};
use serde::{Deserialize, Serialize};

/// What kind of news it is: the word that endpoints choose by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "documented for clients in docs/webhooks.md")]
pub enum EventType {
    #[serde(rename = "session.started")]
    SessionStarted,
    #[serde(rename = "session.paused")]
    SessionPaused,
    #[serde(rename = "session.resumed")]
    SessionResumed,
    #[serde(rename = "session.ended")]
    SessionEnded,
    #[serde(rename = "credits.low")]
    CreditsLow,
    #[serde(rename = "credits.exhausted")]
    CreditsExhausted,
    #[serde(rename = "credits.topped_up")]
    CreditsToppedUp,
    #[serde(rename = "credits.topup_requested")]
    TopUpRequested,
    #[serde(rename = "period.rolled")]
    PeriodRolled,
    #[serde(rename = "job.finished")]
    JobFinished,
}

impl EventType {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::SessionStarted,
        Self::SessionPaused,
        Self::SessionResumed,
        Self::SessionEnded,
        Self::CreditsLow,
        Self::CreditsExhausted,
        Self::CreditsToppedUp,
        Self::TopUpRequested,
        Self::PeriodRolled,
        Self::JobFinished,
    ];

    /// Whether one may be left out when far too much waits: what comes after it says how things stand.
    #[must_use]
    pub(crate) const fn is_passing(self) -> bool {
        matches!(self, Self::SessionPaused | Self::SessionResumed)
    }

    /// The public word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SessionStarted => "session.started",
            Self::SessionPaused => "session.paused",
            Self::SessionResumed => "session.resumed",
            Self::SessionEnded => "session.ended",
            Self::CreditsLow => "credits.low",
            Self::CreditsExhausted => "credits.exhausted",
            Self::CreditsToppedUp => "credits.topped_up",
            Self::TopUpRequested => "credits.topup_requested",
            Self::PeriodRolled => "period.rolled",
            Self::JobFinished => "job.finished",
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EventType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
            format!("is no event; choose from {}", known.join(", "))
        })
    }
}

/// How low credits are said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// Percent of what the plan's period grants.
    Percent(u8),
    /// An amount of credits.
    Credits(Microcredits),
    /// Minutes that the balance lasts at the present burn rate.
    RunwayMinutes(u32),
}

/// What an account has when it is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What is available and what is held, all grants together.
    pub balance: Microcredits,
    /// Of it, from the plan.
    pub plan: Microcredits,
    /// What was spent lately, in credits a minute; zero when nothing was.
    pub burn_per_minute: Microcredits,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A session changed.
    Session {
        /// How.
        change: SessionChange,
        /// The session as it is now.
        record: Box<SessionRecord>,
    },
    /// The balance fell below a threshold.
    CreditsLow {
        /// Which.
        threshold: Threshold,
        /// What there is.
        standing: Standing,
    },
    /// Nothing can speak any more.
    CreditsExhausted {
        /// What there is.
        standing: Standing,
    },
    /// Credits were given, but for the plan's.
    ToppedUp {
        /// The grant.
        grant: GrantId,
        /// Bought, or given.
        kind: GrantKind,
        /// How much.
        amount: Microcredits,
        /// What there is now.
        standing: Standing,
    },
    /// The balance is below what the account wants to have, and it asked to be asked for money.
    TopUpRequested {
        /// Names the request: use it as the idempotency key of the payment and of the grant.
        request: String,
        /// How much is asked for.
        amount: Microcredits,
        /// What there is.
        standing: Standing,
    },
    /// A period of the plan has begun.
    PeriodRolled {
        /// The plan.
        plan: String,
        /// When it began.
        starts_at: Timestamp,
        /// When it ends.
        ends_at: Timestamp,
        /// What it grants.
        credits: Microcredits,
        /// What there is now.
        standing: Standing,
    },
    /// One-time work is over.
    JobFinished {
        /// Which.
        job: JobId,
        /// What it is: `agent`, `dynamics`, `book`.
        kind: String,
        /// How it ended: `done`, `failed`, `cancelled`.
        state: String,
        /// What it cost.
        charged: Microcredits,
        /// Why it failed, if it did.
        error: Option<String>,
    },
}

/// Something that an account is told of, under one id for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name: the same in every attempt and at every endpoint. Ids grow with time.
    pub id: EventId,
    /// Who is told.
    pub account: AccountId,
    /// When it happened.
    pub at: Timestamp,
    /// What.
    pub news: News,
}

impl Event {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> EventType {
        match &self.news {
            News::Session { change, .. } => match change {
                SessionChange::Started => EventType::SessionStarted,
                SessionChange::Paused => EventType::SessionPaused,
                SessionChange::Resumed => EventType::SessionResumed,
                SessionChange::Ended => EventType::SessionEnded,
            },
            News::CreditsLow { .. } => EventType::CreditsLow,
            News::CreditsExhausted { .. } => EventType::CreditsExhausted,
            News::ToppedUp { .. } => EventType::CreditsToppedUp,
            News::TopUpRequested { .. } => EventType::TopUpRequested,
            News::PeriodRolled { .. } => EventType::PeriodRolled,
            News::JobFinished { .. } => EventType::JobFinished,
        }
    }

    /// The session whose events it stands among, in order; `None`: those of the account.
    #[must_use]
    pub const fn session(&self) -> Option<SessionId> {
        match &self.news {
            News::Session { record, .. } => Some(record.id),
            _ => None,
        }
    }

    /// What happens once only: whoever finds it told already does not tell it again. A recovery after a crash cannot know
    /// what was told before, so it tells these anyway.
    #[must_use]
    pub(crate) fn once(&self) -> Option<String> {
        match &self.news {
            News::Session { change: SessionChange::Started, record } => Some(format!("{}.started", record.id)),
            News::Session { change: SessionChange::Ended, record } => Some(format!("{}.ended", record.id)),
            News::JobFinished { job, .. } => Some(format!("{job}.finished")),
            _ => None,
        }
    }

    /// Whether it may be left out, see [`EventType::is_passing`].
    #[must_use]
    pub(crate) const fn is_passing(&self) -> bool {
        self.kind().is_passing()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_back_by_its_word() {
        for kind in EventType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).expect("JSON"), format!("\"{kind}\""));
        }
        assert!("session.exploded".parse::<EventType>().is_err());
    }
}
