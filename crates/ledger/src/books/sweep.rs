//! The sweeper: every hold ends, also that of a session nobody speaks for any more.

use super::Books;
use crate::settle::Told;
use crate::tab::TabState;
use crate::{EndReason, Outcome, SessionId, Terms, Units};

impl Books {
    /// Ends the sessions whose time has passed, charged for what was proved, and forgets old tombstones. Whoever
    /// is heard of meanwhile is left alone.
    pub(super) fn sweep(&mut self, terms: &Terms, sessions: &[(SessionId, Units)]) -> Outcome {
        let Self { account, tabs, dirty, .. } = self;
        let now = account.now;
        let mut ended = Vec::new();
        for &(session, proved) in sessions {
            let Some(tab) = tabs.get_mut(&session).filter(|tab| tab.sweep_at <= now) else { continue };
            if let TabState::Ended { forget_at, .. } = tab.state {
                if forget_at <= now {
                    tabs.remove(&session);
                    dirty.tabs.push(session);
                }
                continue;
            }
            let reason = if tab.product.is_remote() { EndReason::EngineLost } else { EndReason::NodeLost };
            account.settle(tab, proved, Told::InTime);
            account.end(terms, tab, reason);
            dirty.note_tab(tab);
            ended.push(session);
        }
        Outcome::Swept { ended }
    }
}
