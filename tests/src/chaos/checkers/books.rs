//! The books balance: by every audit, by the accounts' own figures, and by what the sessions say; and nobody could destroy
//! them.

use super::super::history::{AccountEnd, History};
use super::Finding;

const NAME: &str = "books";

pub(super) fn check(history: &History) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (who, audit) in &history.audits {
        if let Err(differences) = audit {
            let says = format!("{who} says that the books do not balance: {differences}");
            findings.push(Finding::general(NAME, says));
        }
    }
    if history.audits.is_empty() {
        findings.push(Finding::general(NAME, "nobody was asked for an audit".to_owned()));
    }
    for (place, account) in history.accounts.iter().enumerate() {
        findings.extend(check_figures(account).into_iter().map(|says| Finding::general(NAME, says)));
        findings.extend(check_sessions(history, place, account));
    }
    if history.settled_after.is_none() {
        let says = "sessions stayed open in the books after all had ended, or held credits".to_owned();
        findings.push(Finding::general(NAME, says));
    }
    // A server that cannot be reached obeys nothing.
    let obeyed = history.flushes.iter().filter_map(|flushed| flushed.as_ref().err());
    findings.extend(obeyed.filter(|error| error.contains("obeyed")).map(|says| Finding::general(NAME, says.clone())));
    findings
}

/// What an account's own figures say.
fn check_figures(account: &AccountEnd) -> Vec<String> {
    let AccountEnd { id, granted, spent, held, debt, available, .. } = account;
    let mut says = Vec::new();
    if granted + debt != available + held + spent {
        let right = format!("available {available} + held {held} + spent {spent}");
        says.push(format!("{id}: granted {granted} + debt {debt} is not {right}"));
    }
    if *held != 0 {
        says.push(format!("{id}: {held} microcredits are held, and no session is left"));
    }
    let given: i64 = account.grants.iter().map(|(_, amount)| amount).sum();
    if given != *granted {
        says.push(format!("{id}: its journal gives {given}, its figures {granted} microcredits"));
    }
    says
}

/// Whether an account's sessions, its journal and its figures say the same.
fn check_sessions(history: &History, place: usize, account: &AccountEnd) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut paid = 0;
    for (id, session) in history.sessions.iter().filter(|(_, session)| session.account == place) {
        let Some(end) = &session.end else { continue };
        paid += end.paid;
        let (units, credits) = account.usage.get(id).copied().unwrap_or_default();
        if (units, credits) != (end.frames, end.paid) {
            let journal = format!("the journal has {units} frames for {credits} microcredits");
            findings.push(Finding::of(NAME, id, format!("{journal}, the session {} for {}", end.frames, end.paid)));
        }
    }
    if paid != account.spent {
        let AccountEnd { id, spent, .. } = account;
        let says = format!("{id}: its sessions paid {paid}, and {spent} microcredits were spent");
        findings.push(Finding::general(NAME, says));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::examples::well;
    use super::*;

    fn says(change: impl Fn(&mut History)) -> Vec<String> {
        let mut history = well();
        change(&mut history);
        check(&history).into_iter().map(|finding| finding.says).collect()
    }

    #[test]
    fn an_audit_that_does_not_balance_is_found_and_so_is_none() {
        assert_eq!(says(|history| history.audits[0].1 = Err("spent differs".into())).len(), 1);
        assert_eq!(says(|history| history.audits.clear()), ["nobody was asked for an audit"]);
    }

    #[test]
    fn figures_that_do_not_come_out_are_found() {
        assert!(says(|history| history.accounts[0].available -= 1)[0].contains("is not available"));
        assert!(says(|history| history.accounts[0].usage.clear())[0].contains("the journal has 0 frames"));
        let held = says(|history| {
            history.accounts[0].available -= 7;
            history.accounts[0].held += 7;
        });
        assert!(held[0].contains("7 microcredits are held"));
        let spent = says(|history| {
            history.accounts[0].available -= 7;
            history.accounts[0].spent += 7;
        });
        assert!(spent[0].contains("were spent"), "{spent:?}");
    }

    #[test]
    fn books_that_stay_open_are_found() {
        assert_eq!(says(|history| history.settled_after = None).len(), 1);
    }

    #[test]
    fn a_flush_that_is_obeyed_is_found_and_one_that_is_refused_is_not() {
        let flushed = |flushed: Result<String, String>| says(|history| history.flushes.push(flushed.clone()));
        assert_eq!(flushed(Ok("NOPERM".into())), Vec::<String>::new());
        assert_eq!(flushed(Err("FLUSHALL was obeyed: everything is gone".into())).len(), 1);
    }
}
