//! A master with replicas behind Sentinels.

use std::time::Duration;

use footlight_ledger::Microcredits;
use footlight_store::{AccountAudit, Rise, audit_account};
use footlight_store_redis::RedisOptions;
use footlight_store_redis::testing::{Sentinels, until};
use uuid::Uuid;

use crate::load::{Load, Player, desk_at, is_slow, top_up};

fn options(replicas: u32) -> RedisOptions {
    RedisOptions { replicas, ..RedisOptions::default() }
}

/// How a master is lost.
#[derive(Debug, Clone, Copy)]
enum Loss {
    Killed,
    Frozen,
}

/// A master is lost, another one takes over, and the lost one comes back as its replica.
async fn fail_over(of: &mut Sentinels, loss: Loss) {
    let master = of.master_but(None).await.expect("there is a master");
    match loss {
        Loss::Killed => of.servers[master].kill(),
        Loss::Frozen => of.servers[master].freeze(),
    }
    until("another one takes over", || async { of.master_but(Some(master)).await.is_some() }).await;
    match loss {
        Loss::Killed => of.servers[master].restart(),
        Loss::Frozen => of.servers[master].thaw(),
    }
    until("the lost one follows", || async {
        of.servers[master].info("replication", "master_link_status").await.as_deref() == Some("up")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fail_overs_lose_no_acknowledged_top_up_and_charge_once() {
    let mut servers = Sentinels::start(2, &[]).await;
    let load = Load::start(&servers.address(), &options(1), 8).await;
    load.goes_on(5).await;
    let losses: &[Loss] = if is_slow() {
        &[Loss::Killed, Loss::Frozen, Loss::Killed, Loss::Frozen, Loss::Killed, Loss::Frozen]
    } else {
        &[Loss::Killed]
    };
    for loss in losses {
        fail_over(&mut servers, *loss).await;
        load.goes_on(5).await;
    }
    load.finish(&format!("fail-overs behind Sentinels, {losses:?}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_that_a_fail_over_lost_is_told_again() {
    let mut servers = Sentinels::start(1, &[]).await;
    // A replica that has heard nothing for some seconds is not chosen, so the top-up below must fail soon.
    let hasty = RedisOptions { response_timeout: Duration::from_millis(400), ..options(1) };
    let desk = desk_at(&servers.address(), &hasty).await;
    let player = Player::enter(&desk).await;
    player.beat(&desk, 100).await.expect("answers");
    player.pay(&desk).await.expect("is acknowledged");

    // The replica hears nothing any more. What is written now is acknowledged, and lost with the master.
    servers.servers[1].run("CONFIG SET masteruser nobody").await;
    servers.servers[1].run("CONFIG SET masterauth wrong").await;
    servers.servers[0].run("CLIENT KILL TYPE replica").await;
    player.beat(&desk, 1_000).await.expect("usage does not wait for replicas");
    let error = player.pay(&desk).await.expect_err("a top-up does");
    assert!(error.is_outcome_unknown() && error.to_string().contains("did not reach 1 replicas, only 0"), "{error}");
    let spent = |audit: Option<AccountAudit>| audit.expect("is there").totals.spent;
    let before = spent(audit_account(&**desk.store(), player.account).await.expect("audits"));

    servers.servers[0].kill();
    until("the replica takes over", || async { servers.master_but(Some(0)).await.is_some() }).await;
    until("the store is back", || async { desk.store().ping().await.is_ok() }).await;
    let lost = spent(audit_account(&**desk.store(), player.account).await.expect("audits"));
    assert!(lost < before, "{lost:?} of {before:?} is there: nothing was lost, so nothing was shown");

    // No replica is left for a top-up to wait for.
    servers.servers[0].restart();
    until("the lost one follows", || async {
        servers.servers[0].info("replication", "master_link_status").await.as_deref() == Some("up")
    })
    .await;
    until("heartbeats get through", || async { player.beat(&desk, 10).await.is_ok() }).await;
    let healed = spent(audit_account(&**desk.store(), player.account).await.expect("audits"));
    assert!(healed > before, "{healed:?} includes what was lost");
    until("top-ups get through", || async { player.pay(&desk).await.is_ok() }).await;
    player.leave(&desk).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn top_ups_are_heard_of_after_a_fail_over_too() {
    let mut servers = Sentinels::start(1, &[]).await;
    let (waiting, topping) =
        (desk_at(&servers.address(), &options(0)).await, desk_at(&servers.address(), &options(0)).await);
    let player = Player::enter(&waiting).await;
    fail_over(&mut servers, Loss::Frozen).await;
    until("the waiting one writes again", || async { player.beat(&waiting, 1).await.is_ok() }).await;
    let mut rises = waiting.on_rise();
    for _ in 0..100 {
        let command = top_up(Uuid::now_v7().to_string(), Microcredits(1));
        let _ = topping.submit(player.account, command).await;
        let heard = tokio::time::timeout(Duration::from_millis(200), rises.recv()).await;
        if heard == Ok(Ok(Rise::Of(player.account))) {
            return;
        }
    }
    panic!("nothing was heard");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_that_is_gone_is_not_missed() {
    let mut servers = Sentinels::start(1, &[]).await;
    servers.kill_sentinel(0);
    let desk = desk_at(&servers.address(), &options(1)).await;
    let player = Player::enter(&desk).await;
    player.beat(&desk, 100).await.expect("answers");
    player.pay(&desk).await.expect("is acknowledged");
    player.leave(&desk).await;
}
