//! Every key that the contract writes is in the table of `keys.rs`, with its type and its time to live.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use footlight_store::Store;
use footlight_store::contract::Opened;
use footlight_store_redis::testing::RedisServer;
use footlight_store_redis::{RedisOptions, RedisStore};
use redis::Value;

/// A row of the table.
struct Row {
    key: String,
    kind: &'static str,
    lives: String,
}

fn table() -> Vec<Row> {
    let page = include_str!("../../src/keys.rs");
    let mut rows: Vec<Row> = Vec::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("//! | `fl:")) {
        let mut cells = line.split(" | ");
        let mut cell = || cells.next().expect("four cells").trim().to_owned();
        let (key, what, lives) = (cell(), cell(), cell());
        let kinds =
            [("string", "string"), ("hash", "hash"), ("set", "set"), ("sorted set", "zset"), ("stream", "stream")];
        let said = kinds.iter().rev().find(|(said, _)| what.starts_with(said));
        let kind = match said {
            Some((_, kind)) => kind,
            None if what.starts_with("the same") => rows.last().expect("there is one above").kind,
            None => continue,
        };
        rows.push(Row { key: format!("fl:{}", key.trim_end_matches('`')), kind, lives });
    }
    rows
}

/// Whether a key is one of a row's: part by part, and whatever is in `<…>` is one part that is not empty.
fn fits(pattern: &str, key: &str) -> bool {
    let (patterns, parts) = (pattern.split(':'), key.split(':'));
    patterns.clone().count() == parts.clone().count()
        && patterns.zip(parts).all(|(pattern, part)| {
            let stripped =
                |text: &str| text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).map(str::to_owned);
            match (stripped(pattern), stripped(part)) {
                (Some(pattern), Some(part)) => fits_part(&pattern, &part),
                (None, None) => fits_part(pattern, part),
                _ => false,
            }
        })
}

fn fits_part(pattern: &str, part: &str) -> bool {
    match pattern.trim_end_matches('>').trim_start_matches('<') {
        "owner" => part == "service" || part.starts_with("acc_"),
        id if id.ends_with('…') => part.starts_with(id.trim_end_matches('…')),
        _ if pattern.starts_with('<') => !part.is_empty(),
        _ => part == pattern,
    }
}

/// Holds every key against the table; answers the rows that were met.
async fn look(server: &RedisServer, rows: &[Row]) -> BTreeSet<String> {
    let Value::Array(keys) = server.run("KEYS *").await else { panic!("a list was expected") };
    let mut connection = server.control().await;
    let mut met = BTreeSet::new();
    for key in keys {
        let Value::BulkString(key) = key else { panic!("a key was expected") };
        let key = String::from_utf8(key).expect("keys are text");
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut connection).await.expect("answers");
        let left: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.expect("answers");
        if kind == "none" || left == -2 {
            continue;
        }
        let tag = key.find('{').zip(key.find('}'));
        assert!(tag.is_some_and(|(open, close)| close > open + 1), "{key} has no hash tag");
        let row = rows.iter().find(|row| fits(&row.key, &key)).unwrap_or_else(|| panic!("{key} is not in the table"));
        assert_eq!(kind, row.kind, "{key}");
        match row.lives.as_str() {
            "-" | "trimmed" => assert_eq!(left, -1, "{key} lives for ever"),
            "30 days from its end" => assert!(left == -1 || left > 0, "{key}"),
            _ => assert!(left > 0, "{key} has a time to live"),
        }
        met.insert(row.key.clone());
    }
    met
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_is_in_the_table_with_its_type_and_its_time_to_live() {
    let server = Arc::new(RedisServer::start());
    let rows = Arc::new(table());
    assert!(rows.len() > 20, "the table is read");
    let met = Arc::new(Mutex::new(BTreeSet::new()));
    let open = || async {
        let seen = look(&server, &rows).await;
        met.lock().expect("is whole").extend(seen);
        server.run("FLUSHALL").await;
        let store = RedisStore::connect(&server.address(), RedisOptions::default()).await.expect("connects");
        let store: Arc<dyn Store> = Arc::new(store);
        Opened { store, keep: Box::new(()) }
    };
    footlight_store::store_contract_in_turn!(open);
    let last = open().await;
    last.store.ping().await.expect("answers");
    let mut met = met.lock().expect("is whole").clone();
    met.extend(look(&server, &rows).await);
    // Written and gone within a step of the contract, or only where replicas are waited for.
    let fleeting = ["fl:{acc_…}:b", "fl:{accounts}:b", "fl:{owner}:unfinished:<uuid>"];
    let missed: Vec<_> = rows.iter().map(|row| &row.key).filter(|key| !met.contains(*key)).collect();
    assert!(missed.iter().all(|key| fleeting.contains(&key.as_str())), "the contract writes none of {missed:?}");
}
