//! Lists of jobs.

use reqwest::{Method, StatusCode};
use serde_json::json;

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
