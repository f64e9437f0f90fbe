//! Settings that are text, however they look: a node may be called `7`, and a token may be all digits.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;

use footlight_store_redis::address::without_login;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Keys whose values are taken from the environment and the command line as they are written: read as numbers they
/// would lose their leading zeros.
pub(super) const KEYS: [&str; 20] = [
    "listen",
    "admin_listen",
    "admin_token",
    "data_dir",
    "store",
    "redis.username",
    "redis.password",
    "redis.password_file",
    "redis.sentinel_username",
    "redis.sentinel_password",
    "redis.ca_file",
    "redis.cert_file",
    "redis.key_file",
    "log.filter",
    "node.name",
    "cluster.secret",
    "cluster.listen",
    "cluster.address",
    "stage.avatars_dir",
    "tokens.key",
];

/// Text. A number or a truth value in a file is its own text.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    deserializer.deserialize_any(TextVisitor)
}

/// As [`read`], for the name of a file or a folder.
pub(super) fn read_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    read(deserializer).map(PathBuf::from)
}

/// A switch. In the environment people write 1 and 0 as well.
pub(super) fn read_switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match read(deserializer)?.as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        other => Err(de::Error::custom(format!("`{other}` is no switch; write true or false"))),
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<String, E> {
        Ok(value.to_string())
    }
}

/// A value that is never shown: neither by `Debug` nor by `footlight config` nor in an error.
#[derive(Clone, Default)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(not set)" } else { "(set)" })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Whatever is wrong with it, saying so must not say what it is.
        read(deserializer).map(Self).map_err(|_| de::Error::custom("it must be text"))
    }
}

/// Where the store is; shown without its password.
#[derive(Clone)]
pub(crate) struct StoreUrl(String);

impl StoreUrl {
    /// Whether other nodes reach it.
    pub(crate) fn is_shared(&self) -> bool {
        !self.0.starts_with("sqlite:")
    }
}

impl Deref for StoreUrl {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.starts_with("sqlite:") {
            // A directory may have an @ in its name.
            return f.write_str(&self.0);
        }
        f.write_str(&without_login(&self.0))
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for StoreUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer).map(Self).map_err(|_| de::Error::custom("it must be text"))
    }
}

#[cfg(test)]
mod tests {
    use super::StoreUrl;

    #[test]
    fn a_store_s_password_is_never_shown() {
        let shown = |url: &str| StoreUrl(url.to_owned()).to_string();
        assert_eq!(shown("redis://user:secret@host:6379/0"), "redis://host:6379/0");
        for mistyped in ["redis:/user:secret@host", "user:secret@host", "reddis://:secret@host", "redis//a:secret@host"]
        {
            assert!(!shown(mistyped).contains("secret"), "{}", shown(mistyped));
        }
        assert_eq!(shown("sqlite:/home/me@work/data"), "sqlite:/home/me@work/data");
    }
}
