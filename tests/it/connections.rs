//! How many connections a node keeps.

use std::time::Duration;

use anyhow::ensure;
use footlight_tests::NodeSetup;
use tokio::net::TcpStream;

const MOST: usize = 16;

#[tokio::test]
async fn a_node_keeps_so_many_connections_and_takes_the_next_when_they_are_closed() -> anyhow::Result<()> {
    let setup = NodeSetup::embedded().without_pictures().set("api.max_connections", &MOST.to_string());
    let node = setup.start().await?;
    let address = node.url.trim_start_matches("http://");
    // Each core counts its own part of them. What is beyond waits in the kernel.
    let cores = std::thread::available_parallelism()?.get();
    let mut held = Vec::new();
    for _ in 0..2 * MOST.max(cores) {
        held.push(TcpStream::connect(address).await?);
    }
    // All of them are closed after five seconds in which they ask nothing.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let http = footlight_client::http_client(Duration::from_secs(60))?;
    let ask = |within: Duration| http.get(format!("{}/openapi.json", node.url)).timeout(within).send();
    ensure!(ask(Duration::from_secs(1)).await.is_err(), "one more is taken");
    let operator = http.get(format!("{}/healthz", node.admin_url)).send().await?;
    ensure!(operator.status().is_success(), "operators have their own: {}", operator.status());
    drop(held);
    let answered = ask(Duration::from_secs(10)).await?;
    ensure!(answered.status().is_success(), "{}", answered.status());
    Ok(())
}
