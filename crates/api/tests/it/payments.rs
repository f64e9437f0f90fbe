//! Payments: believed by their signature, credited once.

use std::time::{Duration, Instant};

use footlight_api::WebhookSecret;
use futures_util::{StreamExt as _, stream};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::{Answer, Served, answer, serve, serve_with};

const SECRET: &str = "whsec_of_the_test";

async fn taking_payments() -> Served {
    serve_with(|options| options.payments.stripe_webhook_secret = Some(WebhookSecret::new(SECRET))).await
}

fn signature(secret: &str, seconds: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
    mac.update(format!("{seconds}.{body}").as_bytes());
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={digits}")
}

async fn send(served: &Served, body: &str, signature: &str) -> Answer {
    let request = served.http.post(format!("{}/v1/payments/stripe", served.public));
    answer(request.header("stripe-signature", signature).body(body.to_owned())).await
}

async fn send_signed(served: &Served, event: &Value) -> Answer {
    let body = event.to_string();
    send(served, &body, &signature(SECRET, served.node.now().0 / 1_000, &body)).await
}

fn checkout(id: &str, account: &str, cents: i64) -> Value {
    json!({
        "id": id, "object": "event", "type": "checkout.session.completed",
        "data": { "object": {
            "id": id.replace("evt", "cs"), "object": "checkout.session", "mode": "payment", "payment_status": "paid",
            "amount_subtotal": cents, "amount_total": cents, "total_details": { "amount_discount": 0 },
            "currency": "usd", "client_reference_id": account, "metadata": {},
        }},
    })
}

async fn balance(served: &Served, account: &str) -> Value {
    served.operate(Method::GET, &format!("/admin/v1/accounts/{account}"), json!({})).await.json()["balance"].clone()
}

#[actix_web::test]
async fn a_paid_checkout_is_credited_once_however_often_it_is_told() {
    let served = taking_payments().await;
    let customer = served.customer("0").await;
    let event = checkout("evt_1", &customer.id, 1_999);
    for replayed in [false, true, true] {
        let taken = send_signed(&served, &event).await;
        let expected = json!({ "received": true, "credits": 1_999, "replayed": replayed, "reason": null });
        assert_eq!((taken.status, taken.json()), (StatusCode::OK, expected));
    }
    assert_eq!(balance(&served, &customer.id).await, json!(1_999));
    let mut by_metadata = checkout("evt_2", "", 1);
    by_metadata["data"]["object"]["client_reference_id"] = json!(null);
    by_metadata["data"]["object"]["metadata"] = json!({ "account": customer.id });
    by_metadata["type"] = json!("checkout.session.async_payment_succeeded");
    assert_eq!(send_signed(&served, &by_metadata).await.json()["credits"], json!(1));
    let journal = served.call(&customer, Method::GET, "/v1/journal?kind=granted").await.json();
    let names: Vec<_> = journal["data"].as_array().expect("data").iter().map(|entry| entry["name"].clone()).collect();
    assert_eq!(names, ["cs_1", "cs_2"], "the checkout's id is the grant's name");
    // Another event of the same checkout credits nothing more, whatever it would bring today.
    let mut second = checkout("evt_1", &customer.id, 2_000);
    second["id"] = json!("evt_3");
    second["type"] = json!("checkout.session.async_payment_succeeded");
    let taken = send_signed(&served, &second).await.json();
    assert_eq!(taken, json!({ "received": true, "credits": 1_999, "replayed": true, "reason": null }));
    assert_eq!(balance(&served, &customer.id).await, json!(2_000));
}

#[actix_web::test]
async fn the_price_of_the_goods_is_credited_to_the_account_in_the_metadata() {
    let served = taking_payments().await;
    let (customer, other) = (served.customer("0").await, served.customer("0").await);
    let mut event = checkout("evt_1", &other.id, 1_000);
    let object = &mut event["data"]["object"];
    object["metadata"] = json!({ "account": customer.id });
    object["total_details"] = json!({ "amount_discount": 250, "amount_tax": 150 });
    object["amount_total"] = json!(900);
    assert_eq!(send_signed(&served, &event).await.json()["credits"], json!(750));
    assert_eq!(balance(&served, &customer.id).await, json!(750));
    assert_eq!(balance(&served, &other.id).await, json!(0));
    // Without a subtotal what was paid counts.
    let mut event = checkout("evt_2", &customer.id, 100);
    event["data"]["object"]["amount_subtotal"] = json!(null);
    assert_eq!(send_signed(&served, &event).await.json()["credits"], json!(100));
}

#[actix_web::test]
async fn what_is_not_signed_with_our_secret_does_nothing() {
    let served = taking_payments().await;
    let customer = served.customer("0").await;
    let body = checkout("evt_1", &customer.id, 1_000).to_string();
    let now = served.node.now().0 / 1_000;
    let good = signature(SECRET, now, &body);
    for bad in [
        String::new(),
        "t=1,v1=00".to_owned(),
        signature("whsec_other", now, &body),
        signature(SECRET, now, &body.replace("1000", "9000")),
        // Ten minutes ago, and in ten minutes.
        signature(SECRET, now - 600, &body),
        signature(SECRET, now + 600, &body),
        good.replace("v1=", "v0="),
    ] {
        send(&served, &body, &bad).await.problem(400, "signature_invalid");
    }
    let unsigned = served.http.post(format!("{}/v1/payments/stripe", served.public)).body(body.clone());
    answer(unsigned).await.problem(400, "signature_invalid");
    assert_eq!(balance(&served, &customer.id).await, json!(0));
    assert_eq!(send(&served, &body, &good).await.status, StatusCode::OK);
    assert_eq!(balance(&served, &customer.id).await, json!(1_000));
}

#[actix_web::test]
async fn events_that_bring_no_money_are_answered_and_left_alone() {
    let served = taking_payments().await;
    let customer = served.customer("0").await;
    let with = |change: fn(&mut Value)| {
        let mut event = checkout("evt_1", &customer.id, 1_000);
        change(&mut event);
        event
    };
    for event in [
        with(|event| event["type"] = json!("customer.created")),
        with(|event| event["data"]["object"]["payment_status"] = json!("unpaid")),
        with(|event| event["data"]["object"]["mode"] = json!("subscription")),
    ] {
        let taken = send_signed(&served, &event).await;
        let nothing = json!({ "received": true, "credits": null, "replayed": false, "reason": null });
        assert_eq!((taken.status, taken.json()), (StatusCode::OK, nothing), "{event}");
    }
    // What will never be credited is no reason for Stripe to try again.
    let closed = served.customer("0").await;
    served.operate(Method::POST, &format!("/admin/v1/accounts/{}/close", closed.id), json!({})).await;
    let wrong = [
        (with(|event| event["data"]["object"]["currency"] = json!("eur")), "not_usd"),
        (with(|event| event["data"]["object"]["client_reference_id"] = json!(null)), "no_account_named"),
        (with(|event| event["data"]["object"]["client_reference_id"] = json!("me")), "no_account_named"),
        (with(|event| event["data"]["object"]["amount_subtotal"] = json!(0)), "no_amount"),
        (with(|event| event["data"]["object"]["amount_subtotal"] = json!(i64::MAX)), "amount_out_of_range"),
        (with(|event| event["data"]["object"] = json!({})), "not_a_checkout"),
        (with(|event| event["data"]["object"]["id"] = json!("")), "not_a_checkout"),
        (checkout("evt_1", "acc_00000000000000000000000000000000", 100), "unknown_account"),
        (checkout("evt_1", &closed.id, 100), "account_closed"),
    ];
    for (event, reason) in &wrong {
        let taken = send_signed(&served, event).await;
        let refused = json!({ "received": true, "credits": null, "replayed": false, "reason": reason });
        assert_eq!((taken.status, taken.json()), (StatusCode::OK, refused), "{event}");
    }
    let counted = format!("footlight_payments_not_credited_total {}", wrong.len());
    assert!(served.node.metrics().lines().any(|line| line == counted), "{counted}");
    send_signed(&served, &json!("hello")).await.problem(400, "invalid_body");
    assert_eq!(balance(&served, &customer.id).await, json!(0));
}

#[actix_web::test]
async fn without_a_webhook_secret_there_is_nothing_to_call() {
    let served = serve().await;
    send_signed(&served, &checkout("evt_1", "acc_00000000000000000000000000000000", 100))
        .await
        .problem(404, "route_not_found");
}

#[actix_web::test]
async fn strangers_fill_little_memory_and_keep_no_payment_out() {
    let served = taking_payments().await;
    let customer = served.customer("0").await;
    // Nobody is asked for a secret here: these begin, and never come to an end.
    let begin = || {
        let beginning = stream::iter([Ok::<_, std::io::Error>(vec![b' '; 20_000])]);
        let body = reqwest::Body::wrap_stream(beginning.chain(stream::pending()));
        tokio::spawn(served.http.post(format!("{}/v1/payments/stripe", served.public)).body(body).send())
    };
    let mut begun: Vec<_> = (0..8).map(|_| begin()).collect();
    let deadline = Instant::now() + Duration::from_secs(10);
    let refused = loop {
        let answered = send(&served, &" ".repeat(20_000), "t=1,v1=00").await;
        if answered.status == StatusCode::SERVICE_UNAVAILABLE {
            break answered;
        }
        answered.problem(400, "signature_invalid");
        assert!(Instant::now() < deadline, "there is room for any number of them");
        // That one may have had the place of one of the others.
        begun.push(begin());
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    refused.problem(503, "capacity");
    assert_eq!(refused.header("retry-after"), "5");

    let taken = send_signed(&served, &checkout("evt_1", &customer.id, 100)).await;
    assert_eq!((taken.status, &taken.json()["credits"]), (StatusCode::OK, &json!(100)), "{}", taken.text);
    begun.iter().for_each(tokio::task::JoinHandle::abort);
}
