//! Where the server is: one, behind Sentinels, or a cluster.

use footlight_store::StoreError;

/// A parsed store address.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// One server.
    Single {
        /// `redis://…`, as redis-rs takes it.
        url: String,
    },
    /// The master that Sentinels name.
    Sentinel {
        /// Hosts and ports of the Sentinels.
        sentinels: Vec<(String, u16)>,
        /// What the Sentinels call the master.
        master: String,
        /// Its user, password and database.
        login: Login,
    },
    /// A cluster.
    Cluster {
        /// `redis://…` of some nodes; the others are found through them.
        nodes: Vec<String>,
    },
}

/// How to log in to a server.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Login {
    /// The user; the default one when there is none.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The database's number.
    pub database: i64,
}

/// Without the password.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Single { url } => f.write_str(&without_login(url)),
            Self::Sentinel { sentinels, master, .. } => write!(f, "redis+sentinel://{sentinels:?}/{master}"),
            Self::Cluster { nodes } => {
                let nodes: Vec<_> = nodes.iter().map(|url| without_login(url)).collect();
                write!(f, "redis+cluster of {nodes:?}")
            }
        }
    }
}

/// An address without its user and password, however wrong it is otherwise: for messages and listings.
#[must_use]
pub fn without_login(url: &str) -> String {
    let Some(at) = url.rfind('@') else { return url.to_owned() };
    // A colon alone ends no scheme: in `user:password@host` it begins the password.
    let scheme = url.find("://").filter(|end| *end < at).map_or("", |end| &url[..end + 3]);
    format!("{scheme}{}", &url[at + 1..])
}

impl std::str::FromStr for Address {
    type Err = StoreError;

    /// Reads `redis://[user:password@]host[:port][/database]`,
    /// `redis+sentinel://[user:password@]host[:port],…/master[/database]` or `redis+cluster://[user:password@]host[:port],…`.
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let refused =
            |why: &str| StoreError::Refused { detail: format!("the store address {}: {why}", without_login(text)) };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| refused("it should start with redis://"))?;
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (Some(login), rest),
            None => (None, rest),
        };
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        if hosts.is_empty() || hosts.split(',').any(str::is_empty) {
            return Err(refused("it names no host"));
        }
        match scheme {
            "redis" if hosts.contains(',') => Err(refused("several hosts need redis+sentinel:// or redis+cluster://")),
            "redis" => Ok(Self::Single { url: text.to_owned() }),
            "rediss" => Err(refused(
                "this build speaks no TLS to Redis; put a TLS proxy on this machine and use redis:// to it",
            )),
            "redis+cluster" => {
                let login = login.map(|login| format!("{login}@")).unwrap_or_default();
                Ok(Self::Cluster { nodes: hosts.split(',').map(|host| format!("redis://{login}{host}")).collect() })
            }
            "redis+sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((path, "0"));
                if master.is_empty() {
                    return Err(refused("after the Sentinels it should say what they call the master: /master"));
                }
                let sentinels =
                    hosts.split(',').map(|host| host_and_port(host).ok_or_else(|| refused("a port is no number")));
                let (user, password) = login.map_or((None, None), |login| match login.split_once(':') {
                    Some((user, password)) => (some(user), some(password)),
                    None => (None, some(login)),
                });
                let database = database.parse().map_err(|_| refused("the database is no number"))?;
                Ok(Self::Sentinel {
                    sentinels: sentinels.collect::<Result<_, _>>()?,
                    master: master.to_owned(),
                    login: Login { user, password, database },
                })
            }
            _ => Err(refused("it should start with redis://, redis+sentinel:// or redis+cluster://")),
        }
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn host_and_port(host: &str) -> Option<(String, u16)> {
    match host.rsplit_once(':') {
        Some((host, port)) => Some((host.to_owned(), port.parse().ok()?)),
        None => Some((host.to_owned(), 26_379)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Login};

    #[test]
    fn addresses_are_read() {
        let single: Address = "redis://user:pass@localhost:7000/3".parse().expect("reads");
        assert_eq!(single, Address::Single { url: "redis://user:pass@localhost:7000/3".to_owned() });
        let sentinel: Address = "redis+sentinel://u:p@one:1,two/main/2".parse().expect("reads");
        let login = Login { user: Some("u".to_owned()), password: Some("p".to_owned()), database: 2 };
        let sentinels = vec![("one".to_owned(), 1), ("two".to_owned(), 26_379)];
        assert_eq!(sentinel, Address::Sentinel { sentinels, master: "main".to_owned(), login });
        let cluster: Address = "redis+cluster://:p@one:1,two:2".parse().expect("reads");
        let nodes = vec!["redis://:p@one:1".to_owned(), "redis://:p@two:2".to_owned()];
        assert_eq!(cluster, Address::Cluster { nodes });
    }

    #[test]
    fn a_wrong_address_is_explained_without_its_password() {
        for text in [
            "localhost",
            "redis://",
            "redis://u:secret@a,b",
            "redis+sentinel://u:secret@a",
            "rediss://u:secret@a",
            "redis:/u:secret@a",
            "u:secret@a",
        ] {
            let error = text.parse::<Address>().expect_err(text).to_string();
            assert!(!error.contains("secret"), "{error}");
            assert!(error.contains("the store address"), "{error}");
        }
    }

    #[test]
    fn a_printed_address_has_no_password() {
        let address: Address = "redis://u:secret@localhost".parse().expect("reads");
        assert_eq!(format!("{address:?}"), "redis://localhost");
    }
}
