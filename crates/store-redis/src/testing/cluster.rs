//! A cluster of three masters, each with a replica.

use std::time::Duration;

use redis::Value;

use super::server::{RedisServer, free_port};
use super::{Authority, SAFE, until};

/// A silent node is taken for lost after this long: much sooner than anybody would want outside of tests.
const NODE_TIMEOUT: &str = "1500";

const MASTERS: usize = 3;
const SLOTS: u16 = 16_384;

/// A cluster of three masters, each with a replica. All end when this is dropped.
pub struct RedisCluster {
    /// Masters first, as they were at the start.
    pub servers: Vec<RedisServer>,
    ids: Vec<String>,
    /// Where they take encrypted connections, if they do.
    tls_ports: Option<Vec<u16>>,
}

impl RedisCluster {
    /// Starts one, and waits until all nodes agree that it is whole and the replicas follow.
    ///
    /// # Panics
    /// When that does not come to pass.
    pub async fn start(arguments: &[&str]) -> Self {
        Self::start_with(None, arguments).await
    }

    /// As [`RedisCluster::start`]; with an authority its nodes encrypt what they say, and take encrypted connections too.
    ///
    /// # Panics
    /// As [`RedisCluster::start`].
    pub async fn start_with(authority: Option<&Authority>, arguments: &[&str]) -> Self {
        let mut servers = Vec::new();
        let mut ports = Vec::new();
        let mut buses = Vec::new();
        for _ in 0..2 * MASTERS {
            let bus = free_port().to_string();
            let cluster = [
                ["--cluster-enabled", "yes"],
                ["--cluster-port", &bus],
                ["--cluster-node-timeout", NODE_TIMEOUT],
                ["--cluster-replica-validity-factor", "0"],
                ["--repl-diskless-sync-delay", "0"],
            ];
            let arguments = [&SAFE[..], cluster.as_flattened(), arguments].concat();
            let (server, port) = match authority {
                Some(authority) => {
                    let encrypted = ["--tls-cluster", "yes", "--tls-replication", "yes"];
                    RedisServer::start_with_tls(authority, &[&arguments[..], &encrypted].concat())
                }
                None => {
                    let server = RedisServer::start_with(&arguments);
                    let port = server.port();
                    (server, port)
                }
            };
            servers.push(server);
            ports.push(port);
            buses.push(bus);
        }
        let mut ids = Vec::new();
        for server in &servers {
            let Value::BulkString(id) = server.run("CLUSTER MYID").await else { panic!("it has an id") };
            ids.push(String::from_utf8(id).expect("it is text"));
        }
        for (port, bus) in ports.iter().zip(&buses).skip(1) {
            servers[0].run(&format!("CLUSTER MEET 127.0.0.1 {port} {bus}")).await;
        }
        let made = Self { servers, ids, tls_ports: authority.map(|_| ports) };
        for at in 0..MASTERS {
            let (from, to) = (at * usize::from(SLOTS) / MASTERS, (at + 1) * usize::from(SLOTS) / MASTERS - 1);
            made.servers[at].run(&format!("CLUSTER ADDSLOTSRANGE {from} {to}")).await;
        }
        made.until_all_say("cluster_known_nodes:6").await;
        for at in 0..MASTERS {
            let replicate = format!("CLUSTER REPLICATE {}", made.ids[at]);
            until("a replica knows its master", || async {
                made.servers[MASTERS + at].try_run(&replicate).await.is_ok()
            })
            .await;
        }
        made.until_all_say("cluster_state:ok").await;
        until("the replicas follow", || async {
            let mut all = true;
            for server in &made.servers[MASTERS..] {
                all &= server.info("replication", "master_link_status").await.as_deref() == Some("up");
            }
            all
        })
        .await;
        made
    }

    /// Its address: two masters and a replica of it.
    #[must_use]
    pub fn address(&self) -> String {
        let port = |at: usize| self.tls_ports.as_ref().map_or_else(|| self.servers[at].port(), |ports| ports[at]);
        let hosts = [0, 1, 5].map(|at| format!("127.0.0.1:{}", port(at)));
        let scheme = if self.tls_ports.is_some() { "rediss" } else { "redis" };
        format!("{scheme}+cluster://{}", hosts.join(","))
    }

    /// Waits until every node that is there says this of the cluster.
    pub async fn until_all_say(&self, what: &str) {
        until(what, || async {
            let mut all = true;
            for server in &self.servers {
                if let Ok(Value::BulkString(info)) = server.try_run("CLUSTER INFO").await {
                    all &= String::from_utf8_lossy(&info).contains(what);
                }
            }
            all
        })
        .await;
    }

    /// Which slot a key lies in.
    ///
    /// # Panics
    /// When the first node is not there.
    pub async fn slot_of(&self, key: &str) -> u16 {
        match self.servers[0].run(&format!("CLUSTER KEYSLOT {key}")).await {
            Value::Int(slot) => u16::try_from(slot).expect("it is a slot"),
            other => panic!("a slot was expected, not {other:?}"),
        }
    }

    /// Which of the servers is the master of a slot.
    ///
    /// # Panics
    /// When none is.
    pub async fn master_of(&self, slot: u16) -> usize {
        for server in &self.servers {
            let Ok(Value::Array(ranges)) = server.try_run("CLUSTER SLOTS").await else { continue };
            for range in ranges {
                let Value::Array(range) = range else { continue };
                let [Value::Int(from), Value::Int(to), Value::Array(master), ..] = range.as_slice() else { continue };
                let Some(Value::Int(port)) = master.get(1) else { continue };
                if (*from..=*to).contains(&i64::from(slot)) {
                    let is_it = |server: &RedisServer| i64::from(server.port()) == *port;
                    return self.servers.iter().position(is_it).expect("it is one of ours");
                }
            }
        }
        panic!("nobody has slot {slot}");
    }

    /// Moves a slot to another master, as `redis-cli --cluster reshard` does, and stays for a while where some keys are
    /// here and some there: after every key that it moves.
    ///
    /// # Panics
    /// When a node refuses.
    pub async fn move_slot(&self, slot: u16, to: usize, pause: Duration) {
        self.begin_move(slot, to).await;
        tokio::time::sleep(pause).await;
        self.finish_move(slot, to, pause).await;
    }

    /// Opens a slot at both ends, and moves nothing yet.
    ///
    /// # Panics
    /// When a node refuses.
    pub async fn begin_move(&self, slot: u16, to: usize) {
        let from = self.master_of(slot).await;
        self.servers[to].run(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", self.ids[from])).await;
        self.servers[from].run(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", self.ids[to])).await;
    }

    /// Moves what is in a slot that is open at both ends, key by key, and closes it.
    ///
    /// # Panics
    /// When a node refuses.
    pub async fn finish_move(&self, slot: u16, to: usize, pause: Duration) {
        let (source, target) = (&self.servers[self.master_of(slot).await], &self.servers[to]);
        loop {
            let Value::Array(keys) = source.run(&format!("CLUSTER GETKEYSINSLOT {slot} 1")).await else { break };
            let Some(Value::BulkString(key)) = keys.into_iter().next() else { break };
            let key = String::from_utf8(key).expect("keys are text");
            source.run(&format!("MIGRATE 127.0.0.1 {} {key} 0 5000", target.port())).await;
            tokio::time::sleep(pause).await;
        }
        for server in [target, source] {
            server.run(&format!("CLUSTER SETSLOT {slot} NODE {}", self.ids[to])).await;
        }
    }
}
