//! Summing usage up reads whole journals: for one call of an account at a time.

use std::sync::Arc;

use footlight_avatar::bundle::Catalogue;
use footlight_store::faulty::{Faults, FaultyStore};
use reqwest::{Method, StatusCode};

use crate::harness::{Customer, answer, memory, serve_on};

#[actix_web::test]
async fn an_account_s_usage_is_summed_up_once_at_a_time_and_others_are_not_held_up() {
    let none = Faults { seed: 1, before: 0, after: 0, instead: 0, late: 0, load: 0 };
    let store = Arc::new(FaultyStore::new(memory(), none));
    let served = serve_on(store.clone(), "test-node", Catalogue::default(), |_| {}, |_, _, _| None).await;
    let (eager, other) = (served.customer("10").await, served.customer("10").await);
    let sum_up = |customer: &Customer| answer(served.request(customer, Method::GET, "/v1/usage/summary"));

    store.set_journal_delay(3_000);
    let (first, second, of_other) = tokio::join!(sum_up(&eager), sum_up(&eager), sum_up(&other));
    assert_eq!(of_other.status, StatusCode::OK, "{}", of_other.text);
    let (done, refused) = if first.status == StatusCode::OK { (first, second) } else { (second, first) };
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    assert_eq!(refused.problem(503, "capacity")["what"], "summaries of usage of the account");
    assert_eq!(refused.header("retry-after"), "2");

    // One that is quick is waited for.
    store.set_journal_delay(200);
    let (first, second) = tokio::join!(sum_up(&eager), sum_up(&eager));
    assert_eq!((first.status, second.status), (StatusCode::OK, StatusCode::OK), "{} {}", first.text, second.text);
}
