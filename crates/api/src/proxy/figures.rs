//! What is counted of calls about sessions that live elsewhere.

use prometheus::{IntCounterVec, Opts, Registry};

/// How calls that were passed on went.
#[derive(Debug, Clone)]
pub struct ProxyFigures(IntCounterVec);

/// How one went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// The session's node answered.
    Answered,
    /// It did not.
    Unreachable,
    /// No node has the session at the moment.
    NoOwner,
}

impl ProxyFigures {
    /// Registers them, every series from the start.
    ///
    /// # Errors
    /// When metrics of these names are registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Calls about sessions of other nodes, by how they went";
        let passed = IntCounterVec::new(Opts::new("footlight_proxied_requests_total", help), &["result"])?;
        for result in [Passed::Answered, Passed::Unreachable, Passed::NoOwner] {
            passed.with_label_values(&[result.word()]);
        }
        registry.register(Box::new(passed.clone()))?;
        Ok(Self(passed))
    }

    pub(crate) fn count(&self, passed: Passed) {
        self.0.with_label_values(&[passed.word()]).inc();
    }
}

impl Passed {
    const fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unreachable => "unreachable",
            Self::NoOwner => "no_owner",
        }
    }
}
