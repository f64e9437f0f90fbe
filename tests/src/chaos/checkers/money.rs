//! No top-up is lost, and none is given twice.

use super::super::history::{AccountEnd, History, TopUp};
use super::Finding;

const NAME: &str = "money";

pub(super) fn check(history: &History) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        history.top_ups.iter().filter_map(|top_up| check_one(history.accounts.get(top_up.account), top_up)).collect();
    for (place, account) in history.accounts.iter().enumerate() {
        let bought = |name: &str| history.top_ups.iter().any(|top_up| top_up.account == place && top_up.name == name);
        for (name, amount) in account.grants.iter().filter(|(name, _)| !bought(name)) {
            let says = format!("{} was given {amount} microcredits as `{name}`, which nobody bought", account.id);
            findings.push(Finding::general(NAME, says));
        }
    }
    findings
}

fn check_one(account: Option<&AccountEnd>, TopUp { name, amount, acknowledged, .. }: &TopUp) -> Option<Finding> {
    let account = account?;
    let given: Vec<i64> = account.grants.iter().filter(|(other, _)| other == name).map(|(_, amount)| *amount).collect();
    let wrong = match given[..] {
        [] if *acknowledged => "was acknowledged, and is not there".to_owned(),
        [] => "could not be given, however often it was asked for".to_owned(),
        [given] if given != *amount => format!("is there as {given} microcredits"),
        [_] => return None,
        _ => format!("is there {} times", given.len()),
    };
    Some(Finding::general(NAME, format!("top-up `{name}` of {amount} microcredits to {} {wrong}", account.id)))
}

#[cfg(test)]
mod tests {
    use super::super::examples::well;
    use super::*;

    fn says(change: impl Fn(&mut History)) -> String {
        let mut history = well();
        change(&mut history);
        check(&history).into_iter().map(|finding| finding.says).collect()
    }

    #[test]
    fn lost_doubled_changed_and_unknown_credits_are_found() {
        assert!(says(|history| history.accounts[0].grants.clear()).ends_with("was acknowledged, and is not there"));
        let doubled = says(|history| history.accounts[0].grants.push(("first".into(), 10_000_000)));
        assert!(doubled.ends_with("is there 2 times"), "{doubled}");
        assert!(says(|history| history.accounts[0].grants[0].1 = 1).ends_with("is there as 1 microcredits"));
        assert!(says(|history| history.accounts[0].grants.push(("other".into(), 5))).contains("nobody bought"));
    }

    #[test]
    fn a_top_up_that_nobody_could_give_is_found() {
        let says = says(|history| {
            history.accounts[0].grants.clear();
            history.top_ups[0].acknowledged = false;
        });
        assert!(says.contains("could not be given"), "{says}");
    }
}
