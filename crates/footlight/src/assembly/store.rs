//! From the `store` setting to a store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use footlight_store::{DataDirLock, SqliteStore, Store, transfer};
use footlight_store_redis::address::without_login;
use footlight_store_redis::{Login, RedisOptions, RedisStore, Tls};

use crate::exit::{Failure, coded};
use crate::settings::{RedisSettings, Settings};

/// Time limit of an answer to a migration's steps, which are larger than a node's.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(15);

/// A store, and the directory that its node keeps files in.
pub(crate) struct OpenStore {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) data_dir: PathBuf,
}

/// Opens what the settings name.
///
/// # Errors
/// When it cannot be reached, is in use, or is not a store that Footlight knows.
pub(crate) async fn open_store(settings: &Settings) -> anyhow::Result<OpenStore> {
    let data_dir = settings.data_dir.clone();
    std::fs::create_dir_all(&data_dir)
        .with_context(|| format!("the data directory {} cannot be made", data_dir.display()))?;
    let url: &str = &settings.store;
    if let Some(directory) = url.strip_prefix("sqlite:") {
        let directory = if directory.is_empty() { data_dir.clone() } else { PathBuf::from(directory) };
        let store = SqliteStore::open(&directory)?;
        return Ok(OpenStore { store: Arc::new(store), data_dir });
    }
    if url.starts_with("redis") {
        let options = redis_options(&settings.redis)?;
        let store =
            RedisStore::connect(url, options).await.map_err(|error| coded(Failure::Unreachable, format!("{error}")))?;
        return Ok(OpenStore { store: Arc::new(store), data_dir });
    }
    Err(coded(Failure::Usage, format!("`store` is `{}`; it must begin with sqlite: or redis", settings.store)))
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

/// A store that a migration has not finished is no store to start a node on.
///
/// # Errors
/// With exit code 6 when it is one.
pub(super) async fn expect_whole(store: &dyn Store) -> anyhow::Result<()> {
    let Some(mark) = transfer::unfinished(store).await? else { return Ok(()) };
    let source = mark.source;
    let detail = format!(
        "the store is half moved: run `footlight migrate --from {source}` into it again, or use {source} itself"
    );
    Err(coded(Failure::Refused, detail))
}

/// Where a store is, for a migration.
pub(crate) enum Place {
    /// The embedded store, in this directory.
    Embedded(PathBuf),
    /// A Redis, by its address.
    Redis(String),
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

    /// Opens it for long steps: nobody waits for an answer but the migration. What is only read from may be a Redis that
    /// no node would trust.
    ///
    /// # Errors
    /// When it cannot be reached, or is in use.
    pub(crate) async fn open(&self, settings: &Settings, only_reads: bool) -> anyhow::Result<Arc<dyn Store>> {
        match self {
            Self::Embedded(directory) => Ok(Arc::new(SqliteStore::open(directory)?)),
            Self::Redis(url) => {
                let mut options = redis_options(&settings.redis)?;
                options.allow_unsafe |= only_reads;
                options.response_timeout = MIGRATION_PATIENCE;
                Ok(Arc::new(RedisStore::connect(url, options).await?))
            }
        }
    }
}

/// Takes the data directory for this node, unless the embedded store in it has done so: two nodes in one would write over
/// each other's progress, and fence each other's sessions. Kept for as long as the node runs.
///
/// # Errors
/// When another process has it.
pub(crate) fn lock_data_dir(settings: &Settings) -> anyhow::Result<Option<DataDirLock>> {
    let data_dir = settings.data_dir.canonicalize().context("the data directory cannot be read")?;
    if let Some(directory) = settings.store.strip_prefix("sqlite:") {
        let is_there = directory.is_empty() || PathBuf::from(directory).canonicalize().is_ok_and(|it| it == data_dir);
        if is_there {
            return Ok(None);
        }
    }
    Ok(Some(DataDirLock::take(&data_dir)?))
}
