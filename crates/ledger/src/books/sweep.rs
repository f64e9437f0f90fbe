//! The sweeper: every hold ends, also that of a session nobody speaks for any more.

use super::Books;
use crate::settle::Told;
use crate::tab::TabState;
use crate::{EndReason, Outcome, SessionId, Terms, Units};

impl Books {
    /// Ends the sessions whose time has passed, charged for what was proved, and forgets old tombstones. Whoever
    /// is heard of meanwhile is left alone.
    pub(super) fn sweep(&mut self, terms: &Terms, sessions: &[(SessionId, Units)]) -> Outcome {
        let now = self.account.now;
        let mut ended = Vec::new();
        for &(session, proved) in sessions {
            let Some(tab) = self.tabs.get(&session).filter(|tab| tab.sweep_at <= now) else { continue };
            if let TabState::Ended { forget_at, .. } = tab.state {
                if forget_at <= now {
                    self.tabs.remove(&session);
                    self.dirty.tabs.insert(session);
                }
                continue;
            }
            let mut tab = tab.clone();
            let reason = if tab.product.is_remote() { EndReason::EngineLost } else { EndReason::NodeLost };
            self.account.settle(&mut tab, proved, Told::InTime);
            self.end(terms, &mut tab, reason);
            self.put_tab(tab);
            ended.push(session);
        }
        Outcome::Swept { ended }
    }
}
