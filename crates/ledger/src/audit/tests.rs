use super::{Audit, Checkpoint, Gap};
use crate::*;
use uuid::Uuid;

/// An account with a session in the middle of a slice and a job that is held.
fn busy() -> (Books, Vec<Entry>) {
    let account = Account::open(AccountId(Uuid::nil()), Timestamp(0), Limits::default());
    let mut books = Books::new(account);
    let session = SessionId(Uuid::nil());
    let pricing = Pricing { rate: Microcredits(2_000_000), units_per_minute: 1_500, rounding: Rounding::Exact };
    let (product, owner) = (Product::EssenceCloud, BootId(Uuid::nil()));
    let beat = |number, units| Command::Heartbeat { session, epoch: 1, number, units, ask: Ask::Slice };
    let commands = [
        Command::Grant {
            id: GrantId(Uuid::nil()),
            name: GrantName("first".into()),
            kind: GrantKind::TopUp,
            amount: Microcredits::from_credits(9),
            expires_at: None,
        },
        Command::BeginSession { session, product, pricing, secret: None, owner },
        beat(1, 0),
        beat(2, 700),
        Command::HoldJob { job: JobId(Uuid::nil()), amount: Microcredits::from_credits(2) },
    ];
    for command in commands {
        let applied = books.apply(&Terms::default(), Timestamp(0), &command);
        assert!(!matches!(applied.outcome, Outcome::Refused(_)), "{applied:?}");
    }
    let _an_hour_later = books.apply(&Terms::default(), Timestamp(3_600_000), &beat(3, 1_400));
    let entries = books.take_changes().entries;
    (books, entries)
}

fn audit(books: &Books, from: &Checkpoint, entries: &[Entry]) -> Result<Audit, Gap> {
    Audit::of(&books.account, from, entries, books.tabs.values(), books.jobs.values())
}

#[test]
fn books_in_the_middle_of_everything_balance_from_any_checkpoint() {
    let (books, entries) = busy();
    assert!(entries.len() >= 3);
    let mut checkpoint = Checkpoint::default();
    for trimmed in 0..=entries.len() {
        assert!(audit(&books, &checkpoint, &entries[trimmed..]).expect("no gap").is_balanced());
        if let Some(entry) = entries.get(trimmed) {
            checkpoint.fold(entry).expect("in order");
        }
    }
}

#[test]
fn every_figure_that_was_tampered_with_is_named() {
    let (books, entries) = busy();
    type Tamper = fn(&mut Books);
    let cases: [(&str, Tamper); 7] = [
        ("available", |books| books.account.totals.available.0 += 1),
        ("spent", |books| books.account.totals.spent.0 -= 1),
        ("overage_spent", |books| books.account.totals.overage_spent.0 += 1),
        (".spent", |books| books.account.grants[0].spent.0 += 1),
        ("held by jobs", |books| books.jobs.clear()),
        ("open_sessions", |books| books.account.open_sessions += 1),
        (".charged", |books| books.tabs.values_mut().for_each(|tab| tab.charged.0 += 1)),
    ];
    for (figure, tamper) in cases {
        let mut books = books.clone();
        tamper(&mut books);
        let audit = audit(&books, &Checkpoint::default(), &entries).expect("no gap");
        let named = audit.differences.iter().any(|difference| difference.figure.ends_with(figure));
        assert!(named, "{figure}: {:?}", audit.differences);
    }
}

#[test]
fn a_lost_entry_is_a_gap_and_a_lost_tail_a_difference() {
    let (books, mut entries) = busy();
    let lost: Vec<_> = entries.iter().filter(|entry| entry.number != 1).cloned().collect();
    assert_eq!(audit(&books, &Checkpoint::default(), &lost), Err(Gap { expected: 1, found: 2 }));
    entries.pop();
    let audit = audit(&books, &Checkpoint::default(), &entries).expect("no gap");
    assert!(audit.differences.iter().any(|difference| difference.figure == "next_entry"));
}
