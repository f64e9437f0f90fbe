//! A connection that comes back: made when it is needed, dropped when it fails, and never waited for without an end.

use std::time::{Duration, Instant};

use footlight_store::StoreError;
use futures_util::future::join_all;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionAddr, Pipeline, RedisError, RedisResult, Value};
use tokio::sync::Mutex;

use crate::address::{Address, Login};
use crate::failure::{Stage, explain, is_broken, is_left};

/// After a failed connect, callers get its error for this long without another attempt: a store that is down must not cost
/// each of them a timeout.
const QUIET: Duration = Duration::from_millis(250);

/// Time limits of a link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) response: Duration,
}

/// One shared connection, multiplexed.
pub(crate) struct Link {
    source: Source,
    limits: Limits,
    state: Mutex<State>,
}

/// One server that holds keys; nobody in particular where there is only one.
pub(crate) struct Holder(Option<(String, u16)>);

enum Source {
    Single(Client),
    Sentinel(Box<Mutex<SentinelClient>>),
    Cluster(Box<ClusterClient>, Client),
}

#[derive(Clone)]
enum Wire {
    One(MultiplexedConnection),
    Many(ClusterConnection),
}

#[derive(Default)]
struct State {
    wire: Option<Wire>,
    /// Counts connections, so that an error of an old one does not drop its successor.
    generation: u64,
    failed: Option<(Instant, StoreError)>,
}

impl Link {
    pub(crate) fn new(address: &Address, limits: Limits) -> Result<Self, StoreError> {
        let source = source(address, limits).map_err(|error| explain(&error, Stage::Connecting))?;
        Ok(Self { source, limits, state: Mutex::default() })
    }

    /// Sends commands together and returns one reply each, in order; a server's error is a reply too.
    pub(crate) async fn send(&self, commands: Vec<Cmd>, stage: Stage) -> Result<Vec<Value>, StoreError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let (wire, generation) = self.wire().await?;
        // redis-rs has its own limit; this one holds even where it waits for room in a queue.
        let sent = tokio::time::timeout(self.limits.response * 2, wire.send(commands)).await;
        let error = match sent {
            Ok(Ok(replies)) => {
                if replies.iter().any(is_left) {
                    self.drop_wire(generation).await;
                }
                return Ok(replies);
            }
            Ok(Err(error)) => error,
            Err(_) => RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut)),
        };
        if is_broken(&error) {
            self.drop_wire(generation).await;
        }
        Err(explain(&error, stage))
    }

    /// Sends one command; a server's error is an error.
    pub(crate) async fn ask(&self, command: Cmd, stage: Stage) -> Result<Value, StoreError> {
        let mut replies = self.send(vec![command], stage).await?;
        let reply = replies.pop().unwrap_or_default();
        reply.extract_error().map_err(|error| explain(&error, stage))
    }

    /// The servers that hold keys, to be asked one by one.
    pub(crate) async fn holders(&self) -> Result<Vec<Holder>, StoreError> {
        let (Wire::Many(_), _) = self.wire().await? else { return Ok(vec![Holder(None)]) };
        let mut ask = redis::cmd("CLUSTER");
        ask.arg("SLOTS");
        let corrupt = |what: &Value| StoreError::Corrupt {
            place: "CLUSTER SLOTS".to_owned(),
            detail: format!("redis replied {what:?}"),
        };
        let mut holders = std::collections::BTreeSet::new();
        let Value::Array(ranges) = self.ask(ask, Stage::Reading).await? else { return Ok(Vec::new()) };
        for range in ranges {
            // First and last slot, the master, its replicas; of a server: host, port, and more.
            let Value::Array(range) = &range else { return Err(corrupt(&range)) };
            let Some(Value::Array(master)) = range.get(2) else { return Err(corrupt(&Value::Nil)) };
            match master.as_slice() {
                [Value::BulkString(host), Value::Int(port), ..] => {
                    let port = u16::try_from(*port).map_err(|_| corrupt(&Value::Int(*port)))?;
                    holders.insert((String::from_utf8_lossy(host).into_owned(), port));
                }
                other => return Err(corrupt(other.first().unwrap_or(&Value::Nil))),
            }
        }
        Ok(holders.into_iter().map(|holder| Holder(Some(holder))).collect())
    }

    /// Asks one of [`Link::holders`].
    pub(crate) async fn ask_holder(&self, holder: &Holder, command: Cmd) -> Result<Value, StoreError> {
        let Some((host, port)) = holder.0.clone() else { return self.ask(command, Stage::Reading).await };
        let (Wire::Many(mut connection), _) = self.wire().await? else {
            return Err(StoreError::unreachable("redis is no cluster any more"));
        };
        let to = RoutingInfo::SingleNode(SingleNodeRoutingInfo::ByAddress { host, port });
        let asked = tokio::time::timeout(self.limits.response * 2, connection.route_command(command, to)).await;
        match asked {
            Ok(answer) => answer.and_then(Value::extract_error).map_err(|error| explain(&error, Stage::Reading)),
            Err(_) => Err(StoreError::unreachable("redis: no answer in time")),
        }
    }

    /// A connection of its own that hears what is published.
    pub(crate) async fn subscribe(&self, channel: &str) -> Result<redis::aio::PubSub, StoreError> {
        let failed = |error: RedisError| explain(&error, Stage::Connecting);
        let hear = async {
            let client = match &self.source {
                Source::Single(client) | Source::Cluster(_, client) => client.clone(),
                Source::Sentinel(sentinels) => sentinels.lock().await.async_get_client().await?,
            };
            let mut heard = client.get_async_pubsub().await?;
            heard.subscribe(channel).await?;
            Ok(heard)
        };
        tokio::time::timeout(self.limits.connect * 2, hear)
            .await
            .map_err(|_| StoreError::unreachable("redis: no answer to a subscription"))?
            .map_err(failed)
    }

    async fn wire(&self) -> Result<(Wire, u64), StoreError> {
        let mut state = self.state.lock().await;
        if let Some(wire) = &state.wire {
            return Ok((wire.clone(), state.generation));
        }
        if let Some((at, error)) = &state.failed
            && at.elapsed() < QUIET
        {
            return Err(error.clone());
        }
        let connected = tokio::time::timeout(self.limits.connect * 2, self.connect()).await;
        let connected = match connected {
            Ok(connected) => connected.map_err(|error| explain(&error, Stage::Connecting)),
            Err(_) => Err(StoreError::unreachable("redis: no connection in time")),
        };
        match connected {
            Ok(wire) => {
                state.generation += 1;
                state.failed = None;
                state.wire = Some(wire.clone());
                Ok((wire, state.generation))
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn connect(&self) -> RedisResult<Wire> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.limits.connect))
            .set_response_timeout(Some(self.limits.response));
        Ok(match &self.source {
            Source::Single(client) => Wire::One(client.get_multiplexed_async_connection_with_config(&config).await?),
            Source::Sentinel(sentinels) => {
                Wire::One(sentinels.lock().await.get_async_connection_with_config(&config).await?)
            }
            Source::Cluster(cluster, _) => Wire::Many(cluster.get_async_connection().await?),
        })
    }

    async fn drop_wire(&self, generation: u64) {
        let mut state = self.state.lock().await;
        if state.generation == generation {
            state.wire = None;
        }
    }
}

impl Wire {
    async fn send(self, commands: Vec<Cmd>) -> RedisResult<Vec<Value>> {
        match self {
            Self::One(mut connection) => {
                let mut pipeline = Pipeline::with_capacity(commands.len());
                let count = commands.len();
                for command in commands {
                    pipeline.add_command(command);
                }
                connection.req_packed_commands(&pipeline, 0, count).await
            }
            // A cluster's pipeline goes to one slot; these go to many.
            Self::Many(connection) => {
                let sent = commands.into_iter().map(|command| {
                    let mut connection = connection.clone();
                    async move {
                        match connection.req_packed_command(&command).await {
                            Err(error) => match error.clone().into_server_errors() {
                                Some(errors) if !errors.is_empty() => Ok(Value::ServerError(errors[0].1.clone())),
                                _ => Err(error),
                            },
                            reply => reply,
                        }
                    }
                });
                join_all(sent).await.into_iter().collect()
            }
        }
    }
}

fn source(address: &Address, limits: Limits) -> RedisResult<Source> {
    Ok(match address {
        Address::Single { url } => Source::Single(Client::open(url.as_str())?),
        Address::Sentinel { sentinels, master, login } => {
            let sentinels = sentinels.iter().map(|(host, port)| ConnectionAddr::Tcp(host.clone(), *port));
            let Login { user, password, database } = login;
            let mut builder = SentinelClientBuilder::new(sentinels, master, SentinelServerType::Master)?
                .set_client_to_redis_db(*database);
            if let Some(user) = user {
                builder = builder.set_client_to_redis_username(user);
            }
            if let Some(password) = password {
                builder = builder.set_client_to_redis_password(password);
            }
            Source::Sentinel(Box::new(Mutex::new(builder.build()?)))
        }
        Address::Cluster { nodes } => {
            let cluster = ClusterClient::builder(nodes.iter().map(String::as_str))
                .connection_timeout(limits.connect)
                .response_timeout(limits.response)
                .build()?;
            Source::Cluster(Box::new(cluster), Client::open(nodes[0].as_str())?)
        }
    })
}
