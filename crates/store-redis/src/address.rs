//! Where the server is: one, behind Sentinels, or a cluster; with TLS or without.

use footlight_store::StoreError;

/// The port of a server whose address names none.
const PORT: u16 = 6_379;

/// The port of a Sentinel whose address names none.
const SENTINEL_PORT: u16 = 26_379;

/// A parsed store address.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Whether every connection is encrypted: to servers and to Sentinels.
    pub tls: bool,
    /// How to log in to the servers.
    pub login: Login,
    /// The database's number; a cluster has one only.
    pub database: i64,
    /// Which servers there are.
    pub form: Form,
}

/// Which servers there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// One server.
    Single(Host),
    /// The master that Sentinels name.
    Sentinel {
        /// The Sentinels.
        sentinels: Vec<Host>,
        /// What they call the master.
        master: String,
    },
    /// A cluster: some of its nodes, through which the others are found.
    Cluster(Vec<Host>),
}

/// A name or an address (of version 6 without its brackets), and a port.
pub type Host = (String, u16);

/// Who logs in. Printed without the password.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Login {
    /// The user; the default one when there is none.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
}

impl Login {
    /// These, and the other's where this has none.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            user: self.user.clone().or_else(|| other.user.clone()),
            password: self.password.clone().or_else(|| other.password.clone()),
        }
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let password = if self.password.is_some() { "(set)" } else { "(not set)" };
        f.debug_struct("Login").field("user", &self.user).field("password", &password).finish()
    }
}

/// Without the login.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let listed = |hosts: &[Host]| hosts.iter().map(host_text).collect::<Vec<_>>().join(",");
        match &self.form {
            Form::Single(host) => write!(f, "{scheme}://{}/{}", host_text(host), self.database),
            Form::Sentinel { sentinels, master } => {
                write!(f, "{scheme}+sentinel://{}/{master}/{}", listed(sentinels), self.database)
            }
            Form::Cluster(nodes) => write!(f, "{scheme}+cluster://{}", listed(nodes)),
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
    /// With `rediss` for `redis` every connection is encrypted. What is special in a user or a password is written as in any
    /// URL, `%40` for `@`.
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let refused =
            |why: &str| StoreError::Refused { detail: format!("the store address {}: {why}", without_login(text)) };
        let unknown =
            || refused("it should start with redis://, redis+sentinel:// or redis+cluster://, or with rediss");
        let (scheme, rest) = text.split_once("://").ok_or_else(unknown)?;
        let (protocol, form) = scheme.split_once('+').unwrap_or((scheme, ""));
        let tls = match protocol {
            "redis" => false,
            "rediss" => true,
            _ => return Err(unknown()),
        };
        let (login, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
        if rest.contains(['?', '#']) {
            return Err(refused("after the database it says something; what can be set is in the settings, [redis]"));
        }
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        if hosts.is_empty() || hosts.split(',').any(str::is_empty) {
            return Err(refused("it names no host"));
        }
        let port = if form == "sentinel" { SENTINEL_PORT } else { PORT };
        let hosts = hosts.split(',').map(|text| host(text, port).ok_or_else(|| refused("a port is no number")));
        let mut hosts: Vec<Host> = hosts.collect::<Result<_, _>>()?;
        let login = read_login(login).ok_or_else(|| refused("after a % of the login come two hexadecimal digits"))?;
        let number = |text: &str| match text {
            "" => Ok(0),
            text => text.parse::<u16>().map(i64::from).map_err(|_| refused("the database is no number")),
        };
        let (form, database) = match form {
            "" if hosts.len() > 1 => return Err(refused("several hosts need redis+sentinel:// or redis+cluster://")),
            "" => (Form::Single(hosts.remove(0)), number(path)?),
            "cluster" if !matches!(path, "" | "0") => return Err(refused("a cluster has database 0 only")),
            "cluster" => (Form::Cluster(hosts), 0),
            "sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return Err(refused("after the Sentinels it should say what they call the master: /master"));
                }
                (Form::Sentinel { sentinels: hosts, master: master.to_owned() }, number(database)?)
            }
            _ => return Err(unknown()),
        };
        Ok(Self { tls, login, database, form })
    }
}

/// `user:password`, `:password`, or a password alone.
fn read_login(text: &str) -> Option<Login> {
    let some = |text: &str| decoded(text).map(|text| (!text.is_empty()).then_some(text));
    let (user, password) = text.split_once(':').unwrap_or(("", text));
    Some(Login { user: some(user)?, password: some(password)? })
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).ok()
}

fn host(text: &str, default: u16) -> Option<Host> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        let port = port.strip_prefix(':').map_or(Some(default), |port| port.parse().ok())?;
        return Some((host.to_owned(), port));
    }
    match text.rsplit_once(':') {
        Some((host, port)) => Some((host.to_owned(), port.parse().ok()?)),
        None => Some((text.to_owned(), default)),
    }
}

fn host_text((host, port): &Host) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::{Address, Form, Login};

    fn read(text: &str) -> Address {
        text.parse().expect(text)
    }

    fn login(user: &str, password: &str) -> Login {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Login { user: some(user), password: some(password) }
    }

    fn hosts(hosts: &[(&str, u16)]) -> Vec<(String, u16)> {
        hosts.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect()
    }

    #[test]
    fn addresses_are_read() {
        let single = read("redis://user:pass@localhost:7000/3");
        let form = Form::Single(("localhost".to_owned(), 7_000));
        assert_eq!(single, Address { tls: false, login: login("user", "pass"), database: 3, form });
        let sentinel = read("redis+sentinel://u:p@one:1,two/main/2");
        let form = Form::Sentinel { sentinels: hosts(&[("one", 1), ("two", 26_379)]), master: "main".to_owned() };
        assert_eq!(sentinel, Address { tls: false, login: login("u", "p"), database: 2, form });
        let cluster = read("redis+cluster://:p@one:1,two");
        let form = Form::Cluster(hosts(&[("one", 1), ("two", 6_379)]));
        assert_eq!(cluster, Address { tls: false, login: login("", "p"), database: 0, form });
    }

    #[test]
    fn every_form_may_be_encrypted() {
        for (text, form) in [
            ("rediss://one", Form::Single(("one".to_owned(), 6_379))),
            ("rediss+cluster://one", Form::Cluster(hosts(&[("one", 6_379)]))),
        ] {
            assert_eq!(read(text), Address { tls: true, login: Login::default(), database: 0, form });
        }
        assert!(read("rediss+sentinel://one/main").tls);
    }

    #[test]
    fn what_is_special_is_written_as_in_any_url() {
        assert_eq!(read("redis://u%40x:p%3a%2F%25@one").login, login("u@x", "p:/%"));
        assert_eq!(read("redis://secret@one").login, login("", "secret"));
        let six = read("redis+cluster://[::1]:7000,[fe80::2]");
        assert_eq!(six.form, Form::Cluster(hosts(&[("::1", 7_000), ("fe80::2", 6_379)])));
        assert_eq!(format!("{six:?}"), "redis+cluster://[::1]:7000,[fe80::2]:6379");
    }

    #[test]
    fn a_wrong_address_is_explained_without_its_password() {
        for text in [
            "localhost",
            "redis://",
            "redis://u:secret@a,b",
            "redis+sentinel://u:secret@a",
            "redis+cluster://u:secret@a/3",
            "redis+proxy://u:secret@a",
            "redis://u:secret@a/x",
            "redis://u:secret@a:port",
            "redis://u:secret%2@a",
            "rediss://u:secret@a/0#insecure",
            "redis:/u:secret@a",
            "u:secret@a",
        ] {
            let error = text.parse::<Address>().expect_err(text).to_string();
            assert!(!error.contains("secret"), "{error}");
            assert!(error.contains("the store address"), "{error}");
        }
    }

    #[test]
    fn nothing_printed_has_a_password() {
        for text in [
            "redis://u:secret@localhost",
            "rediss+sentinel://u:secret@localhost/main",
            "redis+cluster://u:secret@localhost,other",
        ] {
            let printed = format!("{:?} {:?}", read(text), read(text).login);
            assert!(!printed.contains("secret"), "{printed}");
        }
        assert_eq!(format!("{:?}", read("redis://u:secret@localhost")), "redis://localhost:6379/0");
    }
}
