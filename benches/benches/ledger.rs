//! Heartbeats a second through the ledger's machine, the changes taken out once a batch as a store does, beside the
//! floor: one clone and one price of each session's tab.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use footlight_ledger::{
    Account, AccountId, Ask, Books, BootId, Command, GrantId, GrantKind, GrantName, Limits, Microcredits, Outcome,
    Pricing, Product, Rounding, SessionId, Terms, Timestamp, Units,
};
use uuid::Uuid;

/// Half a minute at 25 frames a second: between two heartbeats.
const FRAMES: Units = 750;
const NOW: Timestamp = Timestamp(1_769_855_400_000);

fn heartbeats(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ledger");
    for sessions in [1, 16, 1_000] {
        group.throughput(Throughput::Elements(sessions));
        group.bench_function(BenchmarkId::new("heartbeats", sessions), |bencher| {
            let mut books = speaking(sessions);
            let mut number = 1;
            bencher.iter(|| {
                for session in 0..sessions {
                    let applied = books.apply(&Terms::default(), NOW, &heartbeat(session, number));
                    assert!(matches!(applied.outcome, Outcome::Heartbeat(_)));
                }
                number += 1;
                black_box(books.take_changes())
            });
        });
        group.bench_function(BenchmarkId::new("floor", sessions), |bencher| {
            let books = speaking(sessions);
            let mut units = 0;
            bencher.iter(|| {
                units += FRAMES;
                for tab in books.tabs.values() {
                    let tab = black_box(tab.clone());
                    black_box(tab.pricing.cost(units));
                }
            });
        });
    }
    group.finish();
}

/// The books of an account with plenty of credits and so many sessions that speak.
fn speaking(sessions: u64) -> Books {
    let account = Account::open(AccountId(Uuid::nil()), NOW, Limits::default());
    let mut books = Books::new(account);
    perform(
        &mut books,
        &Command::Grant {
            id: GrantId(Uuid::nil()),
            name: GrantName("bench".into()),
            kind: GrantKind::TopUp,
            amount: Microcredits::from_credits(1_000_000_000),
            expires_at: None,
        },
    );
    let pricing = Pricing { rate: Microcredits::from_credits(2), units_per_minute: 1_500, rounding: Rounding::Exact };
    for session in 0..sessions {
        let begin = Command::BeginSession {
            session: session_id(session),
            product: Product::EssenceCloud,
            pricing,
            secret: None,
            owner: BootId(Uuid::nil()),
        };
        perform(&mut books, &begin);
        perform(&mut books, &heartbeat(session, 0));
    }
    books.take_changes();
    books
}

fn perform(books: &mut Books, command: &Command) {
    let applied = books.apply(&Terms::default(), NOW, command);
    assert!(!matches!(applied.outcome, Outcome::Refused(_)), "{applied:?}");
}

fn heartbeat(session: u64, number: u64) -> Command {
    Command::Heartbeat { session: session_id(session), epoch: 1, number, units: number * FRAMES, ask: Ask::Slice }
}

fn session_id(session: u64) -> SessionId {
    SessionId(Uuid::from_u128(u128::from(session)))
}

criterion_group!(benches, heartbeats);
criterion_main!(benches);
