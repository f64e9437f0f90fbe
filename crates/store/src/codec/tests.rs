//! Sizes, growth and refusals of documents.

use footlight_ledger::{
    Account, AccountId, Ask, Books, BootId, Command, GrantId, GrantKind, GrantName, Limits, Microcredits, Pricing,
    Product, Rounding, SecretId, SessionId, Terms, Timestamp,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{decode, encode, encode_named};
use crate::StoreError;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Before {
    one: u64,
    two: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct After {
    one: u64,
    two: String,
    #[serde(default)]
    three: Vec<u64>,
}

#[test]
fn a_document_from_before_a_field_was_added_is_read() {
    let before = Before { one: 1, two: "2".to_owned() };
    for bytes in [encode(&before), encode_named(&before)] {
        let after = After { one: 1, two: "2".to_owned(), three: Vec::new() };
        assert_eq!(decode(&bytes, String::new), Ok(after));
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    for (bytes, why) in [(&[][..], "empty"), (&[9, 1, 2][..], "newer"), (&[1, 0xc1][..], "")] {
        let error = decode::<Before>(bytes, || "row 7".to_owned()).expect_err("is no document");
        assert!(
            matches!(&error, StoreError::Corrupt { place, detail } if place == "row 7" && detail.contains(why)),
            "{error}"
        );
    }
}

/// Accounts were stored with 14 fields before plans could follow each other and secrets had limits.
#[test]
fn an_account_of_the_first_kind_is_read() {
    let account = Account::open(AccountId(Uuid::now_v7()), Timestamp(1_795_000_000_000), Limits::default());
    let bytes = encode(&account);
    let [format, 0xdc, 0, 17, fields @ .., 0xc0, 0, 0x90] = bytes.as_slice() else {
        panic!("17 fields, the last three of them empty: {bytes:x?}");
    };
    let before = [&[*format, 0x9e], fields].concat();
    assert_eq!(decode(&before, String::new), Ok(account));
}

#[test]
fn a_speaking_sessions_tab_takes_less_than_300_bytes() {
    let id = Uuid::now_v7();
    let now = Timestamp(1_795_000_000_000);
    let session = SessionId(id);
    let mut books = Books::new(Account::open(AccountId(id), now, Limits::default()));
    let pricing = Pricing { rate: Microcredits(2_000_000), units_per_minute: 1_500, rounding: Rounding::Exact };
    let commands = [
        Command::Grant {
            id: GrantId(id),
            name: GrantName("first".to_owned()),
            kind: GrantKind::TopUp,
            amount: Microcredits(1_000_000_000),
            expires_at: None,
        },
        Command::BeginSession {
            session,
            product: Product::ExpressionSelfHosted,
            pricing,
            secret: Some(SecretId(id)),
            owner: BootId(id),
        },
        Command::Heartbeat { session, epoch: 1, number: 1, units: 0, ask: Ask::Slice },
        Command::Heartbeat { session, epoch: 1, number: 100_000, units: 1_400, ask: Ask::Slice },
    ];
    for command in commands {
        let _ = books.apply(&Terms::default(), now, &command);
    }
    let tab = &books.tabs[&session];
    let bytes = encode(tab);
    assert!(bytes.len() < 300, "{} bytes", bytes.len());
    assert_eq!(decode(&bytes, String::new), Ok(tab.clone()));
}
