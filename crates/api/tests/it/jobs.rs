//! Lists of jobs, and those who follow one.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{answer, serve};

#[actix_web::test]
async fn a_page_of_large_jobs_is_bounded_in_bytes_and_goes_on_where_it_ends() {
    const JOBS: u64 = 40;
    let served = serve().await;
    let customer = served.customer("20000").await;
    for number in 0..JOBS {
        let input = json!({"number": number, "text": "x".repeat(30_000)});
        let asked = served.request(&customer, Method::POST, "/v1/jobs").json(&json!({"kind": "book", "input": input}));
        let asked = answer(asked).await;
        assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.text);
    }
    let pages = async |limit: usize| {
        let (mut seen, mut lengths, mut cursor) = (Vec::new(), Vec::new(), String::new());
        loop {
            let page = served.call(&customer, Method::GET, &format!("/v1/jobs?limit={limit}{cursor}")).await;
            assert!(page.text.len() < 1_100_000, "a page of {} bytes", page.text.len());
            let page = page.json();
            let jobs = page["data"].as_array().expect("jobs");
            lengths.push(jobs.len());
            seen.extend(jobs.iter().map(|job| job["input"]["number"].as_u64().expect("a number")));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, (0..JOBS).rev().collect::<Vec<_>>(), "each once, newest first");
        lengths
    };
    assert_eq!(pages(200).await.len(), 2);
    assert_eq!(pages(20).await, [20, 20]);
}

#[actix_web::test]
async fn whoever_follows_a_job_can_read_it_however_its_input_was_written() {
    let served = serve().await;
    let customer = served.customer("1000").await;
    let body = "{\"kind\": \"book\", \"input\": {\r\n  \"title\": \"two\\nlines\",\n\n  \"pages\": 3\n}}";
    let asked = served.request(&customer, Method::POST, "/v1/jobs").header("content-type", "application/json");
    let job = answer(asked.body(body)).await.json()["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/jobs/{job}");
    let events = served.request(&customer, Method::GET, &format!("{path}/events")).send().await.expect("events");
    let cancel = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        served.call(&customer, Method::DELETE, &path).await
    };
    let (text, _) = tokio::join!(async { events.text().await.expect("they end") }, cancel);
    let told: Vec<Value> = text
        .split_terminator("\n\n")
        .map(|event| event.strip_prefix("event: job\ndata: ").unwrap_or_else(|| panic!("{event:?} in {text:?}")))
        .map(|data| serde_json::from_str(data).expect("JSON"))
        .collect();
    assert_eq!(told[0]["input"], json!({"title": "two\nlines", "pages": 3}));
    assert_eq!(told.last().expect("its end")["state"], "cancelled");
}
