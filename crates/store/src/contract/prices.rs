//! Promises about prices: what every row of the price list comes to, on a store, to the microcredit.

use std::num::NonZeroU32;
use std::sync::Arc;

use footlight_ledger::{
    AccountId, Ask, BootId, Command, Counting, EndReason, Limits, Microcredits, Pricing, Product, RateCard, Rounding,
    Units, Verdict,
};
use uuid::Uuid;

use super::given::{assert_sums, beat, desk_on, new_account, new_session, slice, top_up};
use crate::{LedgerDesk, Store};

/// The price list as people read it: credits a minute, and what counts.
const PRICE_LIST: [(Product, i64, Counting); 8] = [
    (Product::EssenceCloud, 2, Counting::Frames),
    (Product::ExpressionCloud, 4, Counting::Frames),
    (Product::EssenceSelfHosted, 1, Counting::Frames),
    (Product::ExpressionSelfHosted, 2, Counting::Frames),
    (Product::ExpressionOnDevice, 2, Counting::Connected),
    (Product::VoiceChat, 10, Counting::Connected),
    (Product::CameraChat, 30, Counting::Connected),
    (Product::AudioOnly, 0, Counting::Frames),
];

/// A session of every product, of several lengths and frame rates, exact and by the minute.
pub async fn every_row_of_the_price_list_is_charged_to_the_microcredit(store: Arc<dyn Store>) {
    let (desk, account) = funded(&store).await;
    let card = RateCard::default();
    assert_eq!(card.0.len(), PRICE_LIST.len(), "a product has no price here");
    let mut spent = Microcredits::ZERO;
    for (product, credits, counting) in PRICE_LIST {
        let tariff = card.0[&product];
        assert_eq!(
            (tariff.rate, tariff.counting, tariff.rounding),
            (Microcredits::from_credits(credits), counting, Rounding::Exact),
            "{product}"
        );
        let rates: &[u64] = if counting == Counting::Frames { &[20, 25, 30, 50] } else { &[1] };
        for (fps, rounding) in rates.iter().flat_map(|fps| [(*fps, Rounding::Exact), (*fps, Rounding::WholeMinute)]) {
            let minute = if counting == Counting::Frames { 60 * fps } else { 60_000 };
            let pricing = Pricing { rounding, ..tariff.pricing(NonZeroU32::new(fps as u32).expect("not zero")) };
            for units in [1, minute / 12, minute - 1, minute, minute + 1, 5 * minute / 2] {
                let (units_in_full, begun) = (units / minute, i64::from(!units.is_multiple_of(minute)));
                let whole = i64::try_from(units_in_full).expect("a few minutes") * credits * Microcredits::PER_CREDIT;
                let rest = i64::try_from(units % minute).expect("less than a minute") * credits;
                let expected = Microcredits(match rounding {
                    Rounding::Exact => whole + rest * Microcredits::PER_CREDIT / i64::try_from(minute).expect("few"),
                    Rounding::WholeMinute => whole + begun * credits * Microcredits::PER_CREDIT,
                });
                let charged = run(&desk, account, product, pricing, units).await;
                assert_eq!(charged, expected, "{product}, {fps} fps, {rounding:?}, {units} units");
                spent += expected;
            }
        }
    }
    assert_sums(&*store, account, spent, FUNDS - spent).await;
}

/// A session keeps the price that it began at, whatever the list says since.
pub async fn a_change_of_price_is_for_new_sessions(store: Arc<dyn Store>) {
    let (desk, account) = funded(&store).await;
    let at = |credits| Pricing {
        rate: Microcredits::from_credits(credits),
        units_per_minute: 1_500,
        rounding: Rounding::Exact,
    };
    let (old, new) = (new_session(), new_session());
    begin(&desk, account, old, Product::EssenceCloud, at(2)).await;
    slice(desk.submit(account, beat(old, 1, 0, Ask::Slice)).await.expect("works"));
    begin(&desk, account, new, Product::EssenceCloud, at(7)).await;
    slice(desk.submit(account, beat(new, 1, 0, Ask::Slice)).await.expect("works"));
    for (session, credits) in [(old, 2), (new, 7)] {
        let answer = slice(desk.submit(account, beat(session, 2, 1_500, Ask::Release)).await.expect("works"));
        assert_eq!(answer.charged, Microcredits::from_credits(credits));
    }
}

const FUNDS: Microcredits = Microcredits::from_credits(1_000_000);

async fn funded(store: &Arc<dyn Store>) -> (LedgerDesk, AccountId) {
    let (desk, account) = (desk_on(store), new_account());
    desk.open_account(account, Limits::default()).await.expect("opens");
    let outcome = desk.submit(account, top_up("first", FUNDS)).await.expect("grants");
    assert!(matches!(outcome, footlight_ledger::Outcome::Granted { .. }), "{outcome:?}");
    (desk, account)
}

async fn begin(
    desk: &LedgerDesk,
    account: AccountId,
    session: footlight_ledger::SessionId,
    product: Product,
    pricing: Pricing,
) {
    let begin = Command::BeginSession { session, product, pricing, secret: None, owner: BootId(Uuid::nil()) };
    let outcome = desk.submit(account, begin).await.expect("works");
    assert_eq!(outcome, footlight_ledger::Outcome::Begun { epoch: 1 });
}

/// Runs a session of this many units, slice by slice, and answers what it was charged.
async fn run(desk: &LedgerDesk, account: AccountId, product: Product, pricing: Pricing, units: Units) -> Microcredits {
    let session = new_session();
    begin(desk, account, session, product, pricing).await;
    let (mut used, mut number) = (0, 0);
    while used < units {
        number += 1;
        let answer = slice(desk.submit(account, beat(session, number, used, Ask::Slice)).await.expect("works"));
        assert_eq!(answer.verdict, Verdict::Granted);
        used = answer.slice_end.min(units);
    }
    number += 1;
    let end = Command::EndSession { session, epoch: 1, number, units, reason: EndReason::Stopped };
    let ended = slice(desk.submit(account, end).await.expect("works"));
    assert_eq!(ended.settled_units, units);
    ended.charged
}
