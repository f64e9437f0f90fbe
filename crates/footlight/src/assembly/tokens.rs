//! What tokens are signed with: a setting, or a file that the first start makes.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::Context;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use footlight_api::TokenKey;

use crate::settings::Settings;

/// Its name in the data directory.
const FILE: &str = "token.key";

/// The key of this node's tokens.
///
/// # Errors
/// When the file in the data directory cannot be read or made, or is not a key.
pub(super) fn key(settings: &Settings) -> anyhow::Result<TokenKey> {
    let set = &settings.tokens.key.0;
    if !set.is_empty() {
        return parse(set).context("`tokens.key` is not a key");
    }
    let path = settings.data_dir.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => {
            parse(&text).with_context(|| format!("{} is not a key; remove it to get a new one", path.display()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = TokenKey::generate();
            keep(&path, &key).with_context(|| format!("{} cannot be written", path.display()))?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

fn parse(text: &str) -> anyhow::Result<TokenKey> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok()).context("it must be 64 hexadecimal digits")?;
    Ok(TokenKey::new(bytes))
}

/// Whole or not at all, and for this user alone: a key that half of a file made would be another at the next start.
fn keep(path: &Path, key: &TokenKey) -> std::io::Result<()> {
    let draft = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let digits = HEXLOWER.encode(key.bytes());
    file.write_all(digits.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_key_is_read_back_and_a_damaged_one_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(FILE);
        let key = TokenKey::generate();
        keep(&path, &key).expect("writes");
        let text = fs::read_to_string(&path).expect("reads");
        assert_eq!(parse(&text).expect("a key").bytes(), key.bytes());
        for damaged in ["", "12", &"x".repeat(64), &text[1..]] {
            assert!(parse(damaged).is_err(), "{damaged}");
        }
    }
}
