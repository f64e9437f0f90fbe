//! Tokens: what an API secret turns into where the secret itself must not go. Signed by us, read by us alone, short-lived.
//!
//! A token is `flt1.` and two parts in base64: what it says, as JSON, and the HMAC-SHA256 of the text before it (RFC 2104).
//! There is one way to sign and no field that could name another: nothing is negotiated.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use footlight_ledger::{AccountId, SecretId, SessionId, Surface, Timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// What every token begins with: the kind of thing it is, and the version of its form.
const PREFIX: &str = "flt1.";
/// Longer than any of ours: what is longer is not looked at.
const LEN_MAX: usize = 1_024;

/// What tokens are signed with: 256 random bits. It prints as dots.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// A key from its bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key of the operating system's randomness.
    ///
    /// # Panics
    /// If the operating system has no randomness: then nothing secret can be made at all.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0_u8; 32];
        OsRng.try_fill_bytes(&mut bytes).expect("the operating system gives randomness");
        Self(bytes)
    }

    /// Its bytes, to be kept where only this node reads.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length").chain_update(text)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    #[serde(rename = "a")]
    pub account: AccountId,
    /// The secret it was made from. When that is revoked, the token opens nothing but a last report.
    #[serde(rename = "k")]
    pub secret: SecretId,
    #[serde(rename = "u")]
    pub usage: Usage,
    /// From when on it is nothing.
    #[serde(rename = "e")]
    pub expires_at: Timestamp,
}

/// What a token is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Usage {
    /// An engine elsewhere: to begin sessions on its surface, or, bound to one, to report for it.
    Engine { surface: Surface, session: Option<SessionId> },
    /// A browser: to follow one session, from one origin if one is named.
    Viewer { session: SessionId, origin: Option<String> },
}

/// Why a token is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenFault {
    /// Not made by us, or not as we made it.
    Invalid,
    /// It was good once.
    Expired,
}

/// Whether this is meant to be one of our tokens.
pub(crate) fn is_ours(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Signs what a token says.
pub(crate) fn sign(key: &TokenKey, claims: &Claims) -> String {
    let said = serde_json::to_vec(claims).expect("claims are ids and words");
    let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(said));
    let signature = key.mac(&text).finalize().into_bytes();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Reads a token. Nothing of it is believed, or even parsed, before its signature is found good.
pub(crate) fn read(key: &TokenKey, text: &str, now: Timestamp) -> Result<Claims, TokenFault> {
    if text.len() > LEN_MAX || !is_ours(text) {
        return Err(TokenFault::Invalid);
    }
    let (said, signature) = text.rsplit_once('.').ok_or(TokenFault::Invalid)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenFault::Invalid)?;
    // Compared in constant time.
    key.mac(said).verify_slice(&signature).map_err(|_| TokenFault::Invalid)?;
    let said = said.strip_prefix(PREFIX).ok_or(TokenFault::Invalid)?;
    let said = URL_SAFE_NO_PAD.decode(said).map_err(|_| TokenFault::Invalid)?;
    let claims: Claims = serde_json::from_slice(&said).map_err(|_| TokenFault::Invalid)?;
    if claims.expires_at <= now { Err(TokenFault::Expired) } else { Ok(claims) }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn claims() -> Claims {
        Claims {
            account: AccountId(Uuid::from_u128(1)),
            secret: SecretId(Uuid::from_u128(2)),
            usage: Usage::Engine { surface: Surface::SelfHosted, session: None },
            expires_at: Timestamp(1_000),
        }
    }

    #[test]
    fn a_token_says_what_it_was_made_to_say_until_its_time_is_over() {
        let key = TokenKey::generate();
        let token = sign(&key, &claims());
        assert_eq!(read(&key, &token, Timestamp(999)), Ok(claims()));
        assert_eq!(read(&key, &token, Timestamp(1_000)), Err(TokenFault::Expired));
        assert_eq!(read(&TokenKey::generate(), &token, Timestamp(0)), Err(TokenFault::Invalid));
    }

    #[test]
    fn no_changed_byte_and_no_other_form_is_taken() {
        let key = TokenKey::new([7; 32]);
        let token = sign(&key, &claims());
        for at in 0..token.len() {
            for other in [b'A', b'B', b'.', b'='] {
                let mut bytes = token.clone().into_bytes();
                if bytes[at] == other {
                    continue;
                }
                bytes[at] = other;
                let changed = String::from_utf8(bytes).expect("ASCII");
                assert_eq!(read(&key, &changed, Timestamp(0)), Err(TokenFault::Invalid), "byte {at} as {other}");
            }
        }
        let said = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims()).expect("JSON"));
        let jwt = |header: &str| format!("{}.{said}.", URL_SAFE_NO_PAD.encode(header));
        for forged in [
            String::new(),
            PREFIX.to_owned(),
            format!("{PREFIX}{said}"),
            format!("{PREFIX}{said}."),
            format!("{PREFIX}.{said}"),
            jwt(r#"{"alg":"none","typ":"JWT"}"#),
            jwt(r#"{"alg":"HS256","typ":"JWT"}"#),
            format!("{token}A"),
            format!(" {token}"),
            "flt1.".repeat(400),
        ] {
            assert_eq!(read(&key, &forged, Timestamp(0)), Err(TokenFault::Invalid), "{forged}");
        }
    }
}
