//! A connection that comes back: made when it is needed, dropped when it fails, and never waited for without an end.

use std::time::{Duration, Instant};

use footlight_store::StoreError;
use redis::{AsyncConnectionConfig, Cmd, RedisError, RedisResult, Value};
use tokio::sync::{Mutex, watch};

use crate::address::Address;
use crate::failure::{Stage, explain, is_broken, is_left};
use crate::reply;
use crate::source::{Source, Wire};
use crate::store::RedisOptions;

/// After a failed connect, callers get its error for this long without another attempt: a store that is down must not cost
/// each of them a timeout.
const QUIET: Duration = Duration::from_millis(250);

/// The longest that a call takes once there is a connection, in time limits of an answer: redis-rs may have to wait for room
/// in a queue first, or send again.
pub(crate) const TIMEOUTS_A_CALL: u32 = 2;

/// Commands that stand together: they go over one connection, in order, and nothing comes between them and its end.
pub(crate) struct Group {
    /// In a cluster, the key whose node gets them: all of the commands' keys lie in its slot.
    pub(crate) key: String,
    pub(crate) commands: Vec<Cmd>,
}

/// One server that holds keys; nobody in particular where there is only one.
pub(crate) struct Holder(Option<(String, u16)>);

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
    /// Counts connections, so that an error of an old one does not drop its successor.
    generation: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    wire: Option<Wire>,
    failed: Option<(Instant, StoreError)>,
}

impl Link {
    pub(crate) fn new(address: &Address, options: &RedisOptions) -> Result<Self, StoreError> {
        let limits = Limits { connect: options.connect_timeout, response: options.response_timeout };
        let source = Source::new(address, options, limits).map_err(|error| explain(&error, Stage::Connecting))?;
        Ok(Self { source, limits, state: Mutex::default(), generation: watch::Sender::new(0) })
    }

    /// Whether keys lie on several servers.
    pub(crate) const fn is_cluster(&self) -> bool {
        matches!(self.source, Source::Cluster { .. })
    }

    /// Told whenever the connection is made anew: what was asked of the old server may be with another now.
    pub(crate) fn generations(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Sends commands and returns one reply each, in order; a server's error is a reply too.
    pub(crate) async fn send(&self, commands: Vec<Cmd>, stage: Stage) -> Result<Vec<Value>, StoreError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        self.over(|wire| wire.send(commands, stage), stage).await
    }

    /// Sends one command; a server's error is an error.
    pub(crate) async fn ask(&self, command: Cmd, stage: Stage) -> Result<Value, StoreError> {
        let mut replies = self.send(vec![command], stage).await?;
        let reply = replies.pop().unwrap_or_default();
        reply.extract_error().map_err(|error| explain(&error, stage))
    }

    /// Sends what stands together, as writes; a server's error is a reply too.
    pub(crate) async fn send_group(&self, group: Group) -> Result<Vec<Value>, StoreError> {
        self.over(|wire| wire.send_group(group), Stage::Writing).await
    }

    /// Asks each server that takes writes; all must answer.
    pub(crate) async fn ask_each(&self, command: Cmd) -> Result<Vec<Value>, StoreError> {
        let replies = self.over(|wire| wire.send_to_each(command), Stage::Reading).await?;
        replies
            .into_iter()
            .map(|reply| reply.extract_error().map_err(|error| explain(&error, Stage::Reading)))
            .collect()
    }

    /// A connection of its own that hears what is published.
    pub(crate) async fn subscribe(&self, channel: &str) -> Result<redis::aio::PubSub, StoreError> {
        let hear = async {
            let mut heard = self.source.client().await?.get_async_pubsub().await?;
            heard.subscribe(channel).await?;
            Ok(heard)
        };
        tokio::time::timeout(self.patience(), hear)
            .await
            .map_err(|_| StoreError::unreachable("redis: no answer to a subscription"))?
            .map_err(|error: RedisError| explain(&error, Stage::Connecting))
    }

    /// Uses the connection, and drops it when it turns out to be of no use.
    async fn over<F>(&self, send: impl FnOnce(Wire) -> F, stage: Stage) -> Result<Vec<Value>, StoreError>
    where
        F: Future<Output = RedisResult<Vec<Value>>>,
    {
        let (wire, generation) = self.wire().await?;
        // redis-rs has its own limit; this one holds even where it waits for room in a queue, and where it tries again.
        let sent = tokio::time::timeout(self.limits.response * TIMEOUTS_A_CALL, send(wire)).await;
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

    /// The servers that hold keys, to be asked one by one.
    pub(crate) async fn holders(&self) -> Result<Vec<Holder>, StoreError> {
        if !self.is_cluster() {
            return Ok(vec![Holder(None)]);
        }
        let mut ask = redis::cmd("CLUSTER");
        ask.arg("SLOTS");
        let corrupt = |what: &Value| StoreError::Corrupt {
            place: "CLUSTER SLOTS".to_owned(),
            detail: format!("redis replied {what:?}"),
        };
        let mut holders = std::collections::BTreeSet::new();
        for range in reply::list("CLUSTER SLOTS", self.ask(ask, Stage::Reading).await?)? {
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
        let mut replies = self.over(|wire| wire.send_to(holder.0.clone(), command), Stage::Reading).await?;
        let reply = replies.pop().unwrap_or_default();
        reply.extract_error().map_err(|error| explain(&error, Stage::Reading))
    }

    /// How long connecting may take: behind Sentinels and in a cluster a server that is silent is met before one that answers.
    fn patience(&self) -> Duration {
        self.limits.connect * if matches!(self.source, Source::Single(_)) { 2 } else { 4 }
    }

    async fn wire(&self) -> Result<(Wire, u64), StoreError> {
        let mut state = self.state.lock().await;
        if let Some(wire) = &state.wire {
            return Ok((wire.clone(), *self.generation.borrow()));
        }
        if let Some((at, error)) = &state.failed
            && at.elapsed() < QUIET
        {
            return Err(error.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.limits.connect))
            .set_response_timeout(Some(self.limits.response));
        let connected = tokio::time::timeout(self.patience(), self.source.connect(&config)).await;
        let connected = match connected {
            Ok(connected) => connected.map_err(|error| explain(&error, Stage::Connecting)),
            Err(_) => Err(StoreError::unreachable("redis: no connection in time")),
        };
        match connected {
            Ok(wire) => {
                self.generation.send_modify(|generation| *generation += 1);
                state.failed = None;
                state.wire = Some(wire.clone());
                Ok((wire, *self.generation.borrow()))
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Behind Sentinels: asks them again who the master is, before the next call.
    pub(crate) async fn look_again(&self) {
        if matches!(self.source, Source::Sentinel(_)) {
            self.state.lock().await.wire = None;
        }
    }

    async fn drop_wire(&self, generation: u64) {
        let mut state = self.state.lock().await;
        if *self.generation.borrow() == generation {
            state.wire = None;
        }
    }
}
