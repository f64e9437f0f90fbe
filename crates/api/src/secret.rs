//! API secrets: how they are made, and how they are recognised without keeping them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sha2::{Digest as _, Sha256};

/// What every secret begins with, so that scanners find one that leaked.
const PREFIX: &str = "fl_live_";
/// 32 bytes in base64 without padding.
const BODY_LEN: usize = 43;
/// How many characters a person may see again later, to tell secrets apart.
const HINT_LEN: usize = PREFIX.len() + 6;

/// The SHA-256 of a secret: all that is kept of it.
pub(crate) type SecretHash = [u8; 32];

/// A new secret. It is shown once and kept nowhere.
pub(crate) struct NewSecret {
    /// The text that its owner sends.
    pub(crate) text: String,
    /// What is kept of it.
    pub(crate) hash: SecretHash,
    /// Its first characters.
    pub(crate) hint: String,
}

impl NewSecret {
    /// Makes one from 256 bits of the operating system's randomness.
    ///
    /// # Panics
    /// If the operating system has no randomness: then nothing secret can be made at all.
    #[must_use]
    pub(crate) fn generate() -> Self {
        let mut bytes = [0_u8; 32];
        OsRng.try_fill_bytes(&mut bytes).expect("the operating system gives randomness");
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        Self { hash: hash(&text), hint: text[..HINT_LEN].to_owned(), text }
    }
}

/// The SHA-256 of a secret's text.
#[must_use]
pub(crate) fn hash(text: &str) -> SecretHash {
    Sha256::digest(text.as_bytes()).into()
}

/// Whether this could be one of our secrets at all. What could not needs no look into the store.
#[must_use]
pub(crate) fn is_well_formed(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(|body| {
        body.len() == BODY_LEN && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_well_formed_and_never_the_same() {
        let (one, other) = (NewSecret::generate(), NewSecret::generate());
        assert!(is_well_formed(&one.text), "{}", one.text);
        assert_ne!(one.text, other.text);
        assert_eq!(hash(&one.text), one.hash);
        assert!(one.text.starts_with(&one.hint));
    }

    #[test]
    fn what_cannot_be_a_secret_is_told_without_a_look_up() {
        for text in ["", "fl_live_", "fl_live_short", "sk_live_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert!(!is_well_formed(text), "{text}");
        }
        assert!(!is_well_formed(&format!("{PREFIX}{}", "ä".repeat(21) + "a")));
    }
}
