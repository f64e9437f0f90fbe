//! Where a store is, and the way to open it: every command's.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use footlight_store::{SqliteStore, Store};
use footlight_store_redis::address::without_login;
use footlight_store_redis::{Login, RedisOptions, RedisStore, Tls};

use crate::exit::{Failure, coded};
use crate::settings::{RedisSettings, Settings};

/// Time limit of an answer to a migration's steps, which are larger than a node's; nobody waits for them but the migration.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(15);

/// Where a store is.
pub(crate) enum Place {
    /// The embedded store, in this directory.
    Embedded(PathBuf),
    /// A Redis, by its address.
    Redis(String),
}

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A node, or a command in its place.
    Use,
    /// A migration that only reads it: it may be a Redis that no node would trust.
    Read,
    /// A migration into it.
    Load,
}

impl Place {
    /// Reads a store's address as the `store` setting has it.
    ///
    /// # Errors
    /// With exit code 2 when it is none.
    pub(crate) fn read(settings: &Settings, url: &str) -> anyhow::Result<Self> {
        if let Some(directory) = url.strip_prefix("sqlite:") {
            let directory = if directory.is_empty() { settings.data_dir.clone() } else { PathBuf::from(directory) };
            return Ok(Self::Embedded(directory));
        }
        if url.starts_with("redis") {
            return Ok(Self::Redis(url.to_owned()));
        }
        Err(coded(Failure::Usage, format!("`{}` is no store; it must begin with sqlite: or redis", without_login(url))))
    }

    /// What people call it, always the same and without a password.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Embedded(directory) => {
                format!("sqlite:{}", std::path::absolute(directory).as_ref().unwrap_or(directory).display())
            }
            Self::Redis(url) => without_login(url),
        }
    }

    /// Whether there is a store to open; of a Redis only opening it can tell.
    pub(crate) fn is_there(&self) -> bool {
        match self {
            Self::Embedded(directory) => directory.join("footlight.db").exists(),
            Self::Redis(_) => true,
        }
    }

    /// Opening the embedded store makes one where there is none.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn expect_books(&self) -> anyhow::Result<()> {
        ensure!(
            self.is_there(),
            "there are no books in {}; name a node's data directory, by --data-dir or in the store's address",
            self.name()
        );
        Ok(())
    }

    /// Opens it, a Redis as the settings under `[redis]` say.
    ///
    /// # Errors
    /// A [`StoreError`](footlight_store::StoreError) when it cannot be reached, is in use or refuses; or when a file that
    /// the settings name cannot be read.
    pub(crate) async fn open(&self, settings: &Settings, purpose: Purpose) -> anyhow::Result<Arc<dyn Store>> {
        match self {
            Self::Embedded(directory) => Ok(Arc::new(SqliteStore::open(directory)?)),
            Self::Redis(url) => {
                let mut options = redis_options(&settings.redis)?;
                options.allow_unsafe |= purpose == Purpose::Read;
                if purpose != Purpose::Use {
                    options.response_timeout = MIGRATION_PATIENCE;
                }
                Ok(Arc::new(RedisStore::connect(url, options).await?))
            }
        }
    }
}

fn redis_options(settings: &RedisSettings) -> anyhow::Result<RedisOptions> {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let read = |key: &str, path: &Path| -> anyhow::Result<Option<Vec<u8>>> {
        if path.as_os_str().is_empty() {
            return Ok(None);
        }
        let read = std::fs::read(path).with_context(|| format!("`redis.{key}`: {} cannot be read", path.display()))?;
        Ok(Some(read))
    };
    let mut password = some(&settings.password.0);
    if let Some(bytes) = read("password_file", &settings.password_file)? {
        ensure!(password.is_none(), "`redis.password` and `redis.password_file` are both set; one is enough");
        let text = String::from_utf8(bytes).map_err(|_| anyhow!("`redis.password_file` holds no text"))?;
        password = some(text.trim_end_matches(['\r', '\n']));
    }
    let client = match (read("cert_file", &settings.cert_file)?, read("key_file", &settings.key_file)?) {
        (Some(chain), Some(key)) => Some((chain, key)),
        (None, None) => None,
        _ => bail!("`redis.cert_file` and `redis.key_file` belong together"),
    };
    Ok(RedisOptions {
        replicas: settings.replicas,
        allow_unsafe: settings.allow_unsafe,
        login: Login { user: some(&settings.username), password },
        sentinel_login: Login {
            user: some(&settings.sentinel_username),
            password: some(&settings.sentinel_password.0),
        },
        tls: Tls { authorities: read("ca_file", &settings.ca_file)?, client },
        ..RedisOptions::default()
    })
}
