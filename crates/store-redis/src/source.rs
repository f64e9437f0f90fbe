//! From an address to connections, for one server, for Sentinels and for a cluster.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::join_all;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, Pipeline,
    RedisConnectionInfo, RedisResult, TlsMode, Value,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::address::{Address, Form, Host, Login};
use crate::failure::{Stage, perhaps_written, unanswered};
use crate::link::{Group, Limits};
use crate::store::RedisOptions;

/// What connections are made from.
pub(crate) enum Source {
    Single(Client),
    Sentinel(Box<Mutex<SentinelClient>>),
    Cluster {
        client: Box<ClusterClient>,
        /// The nodes that the address names: whichever answers hears what any node publishes.
        nodes: Vec<Client>,
        response: Duration,
        next: AtomicUsize,
    },
}

/// A connection, to be cloned.
#[derive(Clone)]
pub(crate) enum Wire {
    One(MultiplexedConnection),
    /// With the longest that one of its servers may take.
    Many(ClusterConnection, Duration),
}

impl Source {
    pub(crate) fn new(address: &Address, options: &RedisOptions, limits: Limits) -> RedisResult<Self> {
        let login = options.login.or(&address.login);
        if address.tls {
            // Whoever was first has chosen already; without a choice rustls would panic where two are compiled in.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        Ok(match &address.form {
            Form::Single(host) => Self::Single(client(address, host, &login, options)?),
            Form::Sentinel { sentinels, master } => {
                let client = sentinel(address, sentinels, master, &login, options)?;
                Self::Sentinel(Box::new(Mutex::new(client)))
            }
            Form::Cluster(hosts) => {
                let infos = hosts.iter().map(|host| info(address, host, &login)).collect::<RedisResult<Vec<_>>>()?;
                let mut cluster =
                    ClusterClient::builder(infos).connection_timeout(limits.connect).response_timeout(limits.response);
                if address.tls {
                    cluster = cluster.tls(TlsMode::Secure).certs(options.tls.certificates());
                }
                let nodes = hosts.iter().map(|host| client(address, host, &login, options));
                Self::Cluster {
                    client: Box::new(cluster.build()?),
                    nodes: nodes.collect::<RedisResult<_>>()?,
                    response: limits.response,
                    next: AtomicUsize::new(0),
                }
            }
        })
    }

    pub(crate) async fn connect(&self, config: &AsyncConnectionConfig) -> RedisResult<Wire> {
        Ok(match self {
            Self::Single(client) => Wire::One(client.get_multiplexed_async_connection_with_config(config).await?),
            Self::Sentinel(sentinels) => {
                Wire::One(sentinels.lock().await.get_async_connection_with_config(config).await?)
            }
            Self::Cluster { client, response, .. } => Wire::Many(client.get_async_connection().await?, *response),
        })
    }

    /// Of a server that hears what is published; in a cluster another one each time.
    pub(crate) async fn client(&self) -> RedisResult<Client> {
        match self {
            Self::Single(client) => Ok(client.clone()),
            Self::Sentinel(sentinels) => sentinels.lock().await.async_get_client().await,
            Self::Cluster { nodes, next, .. } => Ok(nodes[next.fetch_add(1, Relaxed) % nodes.len()].clone()),
        }
    }
}

fn addr(address: &Address, (host, port): &Host) -> ConnectionAddr {
    if address.tls {
        ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host.clone(), *port)
    }
}

fn info(address: &Address, host: &Host, login: &Login) -> RedisResult<ConnectionInfo> {
    let mut redis = RedisConnectionInfo::default().set_db(address.database);
    if let Some(user) = &login.user {
        redis = redis.set_username(user);
    }
    if let Some(password) = &login.password {
        redis = redis.set_password(password);
    }
    Ok(addr(address, host).into_connection_info()?.set_redis_settings(redis))
}

fn client(address: &Address, host: &Host, login: &Login, options: &RedisOptions) -> RedisResult<Client> {
    let info = info(address, host, login)?;
    if address.tls { Client::build_with_tls(info, options.tls.certificates()) } else { Client::open(info) }
}

fn sentinel(
    address: &Address,
    sentinels: &[Host],
    master: &str,
    login: &Login,
    options: &RedisOptions,
) -> RedisResult<SentinelClient> {
    let addresses = sentinels.iter().map(|host| addr(address, host));
    let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
        .set_client_to_redis_db(address.database);
    if let Some(user) = &login.user {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = &login.password {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(user) = &options.sentinel_login.user {
        builder = builder.set_client_to_sentinel_username(user);
    }
    if let Some(password) = &options.sentinel_login.password {
        builder = builder.set_client_to_sentinel_password(password);
    }
    if address.tls {
        let certificates = options.tls.certificates();
        builder = builder
            .set_client_to_redis_tls_mode(TlsMode::Secure)
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_tls_mode(TlsMode::Secure)
            .set_client_to_sentinel_certificates(certificates);
    }
    builder.build()
}

impl Wire {
    /// One reply per command, in order.
    pub(crate) async fn send(self, commands: Vec<Cmd>, stage: Stage) -> RedisResult<Vec<Value>> {
        match self {
            Self::One(mut connection) => {
                let (pipeline, count) = pipeline(commands);
                connection.req_packed_commands(&pipeline, 0, count).await
            }
            // A cluster's pipeline goes to one slot; these go to many. A server that is away must not cost the others' callers
            // their answers: unless nobody answers, its silence is a reply of its own.
            Self::Many(connection, patience) => {
                let sent = commands.into_iter().map(|command| {
                    let mut connection = connection.clone();
                    async move {
                        let sent = timeout(patience, connection.req_packed_command(&command)).await;
                        as_reply(sent.unwrap_or_else(|_| Err(std::io::Error::from(ErrorKind::TimedOut).into())), stage)
                    }
                });
                let answers = join_all(sent).await;
                if answers.iter().all(Result::is_err) {
                    return answers.into_iter().collect();
                }
                answers.into_iter().map(|answer| answer.or_else(|error| unanswered(error, stage))).collect()
            }
        }
    }

    pub(crate) async fn send_group(self, group: Group) -> RedisResult<Vec<Value>> {
        let (pipeline, count) = pipeline(group.commands);
        match self {
            Self::One(mut connection) => connection.req_packed_commands(&pipeline, 0, count).await,
            Self::Many(mut connection, _) => {
                let route = SingleNodeRoutingInfo::SpecificNode(Route::with_key(&group.key, SlotAddr::Master));
                match connection.route_pipeline(pipeline, 0, count, route).await {
                    Ok(replies) => Ok(replies.into_iter().map(|reply| told(reply, Stage::Writing)).collect()),
                    // One of them ended it for all.
                    Err(error) => as_reply(Err(error), Stage::Writing).map(|reply| vec![reply; count]),
                }
            }
        }
    }

    /// The reply of one server, which is named in a cluster.
    pub(crate) async fn send_to(self, server: Option<(String, u16)>, command: Cmd) -> RedisResult<Vec<Value>> {
        match (self, server) {
            (Self::Many(mut connection, _), Some((host, port))) => {
                let server = RoutingInfo::SingleNode(SingleNodeRoutingInfo::ByAddress { host, port });
                Ok(vec![connection.route_command(command, server).await?])
            }
            (wire, _) => wire.send(vec![command], Stage::Reading).await,
        }
    }

    /// One reply per server that takes writes.
    pub(crate) async fn send_to_each(self, command: Cmd) -> RedisResult<Vec<Value>> {
        match self {
            Self::One(mut connection) => Ok(vec![connection.req_packed_command(&command).await?]),
            Self::Many(mut connection, _) => {
                let each = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
                match connection.route_command(command, each).await? {
                    Value::Map(nodes) => Ok(nodes.into_iter().map(|(_, reply)| reply).collect()),
                    reply => Ok(vec![reply]),
                }
            }
        }
    }
}

fn pipeline(commands: Vec<Cmd>) -> (Pipeline, usize) {
    let count = commands.len();
    let mut pipeline = Pipeline::with_capacity(count);
    for command in commands {
        pipeline.add_command(command);
    }
    (pipeline, count)
}

/// redis-rs makes errors of a cluster's replies; here a server's error is a reply.
fn as_reply(answer: RedisResult<Value>, stage: Stage) -> RedisResult<Value> {
    match answer {
        Ok(reply) => Ok(told(reply, stage)),
        Err(error) => match error.clone().into_server_errors() {
            Some(errors) if !errors.is_empty() => Ok(told(Value::ServerError(errors[0].1.clone()), stage)),
            _ => Err(error),
        },
    }
}

/// In a cluster redis-rs sends again after a lost connection: an error is the answer to the last time that a write was
/// sent, and says nothing of the times before.
fn told(reply: Value, stage: Stage) -> Value {
    match reply {
        Value::ServerError(error) if stage == Stage::Writing => Value::ServerError(perhaps_written(error)),
        reply => reply,
    }
}
