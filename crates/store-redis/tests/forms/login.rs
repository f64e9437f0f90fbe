//! Who may do what, and who may listen: ACL users and TLS.

use std::sync::Arc;

use footlight_store::contract::Opened;
use footlight_store::{Store, StoreError};
use footlight_store_redis::testing::{Authority, RedisCluster, RedisServer, SAFE, Sentinels};
use footlight_store_redis::{Login, RedisOptions, RedisStore, Tls};

use crate::load::{Player, desk_at};

/// The rule in docs/redis.md.
fn rule() -> String {
    let page = include_str!("../../../../docs/redis.md");
    let rule =
        page.lines().find_map(|line| line.strip_prefix("ACL SETUSER footlight ")).expect("it is in docs/redis.md");
    rule.replace(">CHANGE-ME", ">secret/%")
}

fn login() -> Login {
    Login { user: Some("footlight".to_owned()), password: Some("secret/%".to_owned()) }
}

async fn guarded(arguments: &[&str]) -> RedisServer {
    let server = RedisServer::start_with(&[&SAFE[..], arguments].concat());
    server.run(&format!("ACL SETUSER footlight {}", rule())).await;
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_rule_is_enough_for_the_contract() {
    let server = Arc::new(guarded(&[]).await);
    let open = || async {
        server.run("FLUSHALL").await;
        let options = RedisOptions { login: login(), ..RedisOptions::default() };
        let store: Arc<dyn Store> = Arc::new(RedisStore::connect(&server.address(), options).await.expect("connects"));
        Opened { store, keep: Box::new(()) }
    };
    footlight_store::store_contract_in_turn!(open);
    let refused = server.run("ACL LOG").await;
    assert_eq!(format!("{refused:?}"), "array([])", "the rule refuses what the store does");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_rule_refuses_what_would_destroy() {
    let server = guarded(&[]).await;
    let url = format!("redis://footlight:secret%2F%25@127.0.0.1:{}", server.port());
    RedisStore::connect(&url, RedisOptions::default()).await.expect("a login in the address is as good");
    let mut connection =
        redis::Client::open(url).expect("reads").get_multiplexed_async_connection().await.expect("connects");
    for command in [
        "FLUSHALL",
        "FLUSHDB",
        "SHUTDOWN",
        "CONFIG SET appendonly no",
        "SWAPDB 0 1",
        "KEYS *",
        "ACL LIST",
        "REPLICAOF NO ONE",
        "SCRIPT FLUSH",
        "SET other x",
        "GET other",
        "PUBLISH other x",
        "FUNCTION FLUSH",
        "CLIENT PAUSE 1",
    ] {
        let mut words = command.split(' ');
        let mut built = redis::cmd(words.next().expect("a command"));
        words.for_each(|word| {
            built.arg(word);
        });
        let error = built.query_async::<()>(&mut connection).await.expect_err(command);
        assert_eq!(error.code(), Some("NOPERM"), "{command}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_refused_and_never_shown() {
    let server = guarded(&[]).await;
    let wrong = Login { user: Some("footlight".to_owned()), password: Some("guessed".to_owned()) };
    let options = RedisOptions { login: wrong, ..RedisOptions::default() };
    assert!(!format!("{options:?}").contains("guessed"), "{options:?}");
    let error = RedisStore::connect(&server.address(), options).await.err().expect("is refused");
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("guessed"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_too_few_rights_is_told_so() {
    let server = RedisServer::start();
    server.run("ACL SETUSER footlight on >secret/% ~fl:* +@all -evalsha").await;
    let options = RedisOptions { login: login(), ..RedisOptions::default() };
    let store = RedisStore::connect(&server.address(), options).await.expect("connects");
    let error = footlight_store::audit_account(&store, footlight_ledger::AccountId(uuid::Uuid::nil())).await;
    let error = error.expect_err("is refused").to_string();
    assert!(error.contains("NOPERM") && error.contains("docs/redis.md"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encrypted_connections_work_and_trust_nobody_else() {
    let authority = Authority::new();
    let (server, port) = RedisServer::start_with_tls(&authority, &SAFE);
    let address = format!("rediss://localhost:{port}/1");
    let trusting = |tls: Tls| RedisOptions { tls, ..RedisOptions::default() };

    let desk = desk_at(&address, &trusting(authority.tls(false))).await;
    let player = Player::enter(&desk).await;
    player.beat(&desk, 10).await.expect("answers");
    player.pay(&desk).await.expect("is acknowledged");
    player.leave(&desk).await;

    // Somebody else's authority, and the system's.
    for tls in [Authority::new().tls(false), Tls::default()] {
        let error = RedisStore::connect(&address, trusting(tls)).await.err().expect("is not trusted").to_string();
        assert!(error.contains("certificate") && error.contains("redis.ca_file"), "{error}");
    }
    // The name is wrong, though the authority is right.
    let other = format!("rediss://127.0.0.2:{port}");
    let mut both = redis::cmd("CONFIG");
    both.arg("SET").arg("bind").arg("127.0.0.1 127.0.0.2");
    both.exec_async(&mut server.control().await).await.expect("it listens there as well");
    let error =
        RedisStore::connect(&other, trusting(authority.tls(false))).await.err().expect("is refused").to_string();
    assert!(error.contains("certificate"), "{error}");

    server.run("CONFIG SET tls-auth-clients yes").await;
    assert!(RedisStore::connect(&address, trusting(authority.tls(false))).await.is_err(), "it shows no certificate");
    RedisStore::connect(&address, trusting(authority.tls(true))).await.expect("it shows its certificate");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_and_clusters_are_spoken_to_encrypted() {
    let authority = Authority::new();
    let options = RedisOptions { tls: authority.tls(false), replicas: 1, ..RedisOptions::default() };
    let sentinels = Sentinels::start_with(Some(&authority), 1, &[]).await;
    let cluster = RedisCluster::start_with(Some(&authority), &[]).await;
    for address in [sentinels.address(), cluster.address()] {
        assert!(address.starts_with("rediss+"), "{address}");
        let desk = desk_at(&address, &options).await;
        for _ in 0..5 {
            let player = Player::enter(&desk).await;
            player.beat(&desk, 10).await.expect("answers");
            player.pay(&desk).await.expect("is acknowledged");
            player.leave(&desk).await;
        }
        let trusting_nobody = RedisOptions::default();
        assert!(RedisStore::connect(&address, trusting_nobody).await.is_err(), "its authority is not the system's");
    }
}
