//! Documents as bytes: one format byte, then MessagePack.
//!
//! What is written with every heartbeat (accounts, tabs, entries) is positional: a tab takes about 230 bytes instead of
//! 450 with its field names. Positional documents grow at their end only: a new field comes last and has
//! `#[serde(default)]`, so that documents from before are still read; anything else needs a new format byte. Enum variants
//! are written by name. What is written seldom (sessions, secrets) carries its field names. One reader takes both.

#[cfg(test)]
mod tests;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StoreError;

/// The only format so far.
const FORMAT: u8 = 1;

/// Writes a document that is written often: fields by position.
///
/// # Panics
/// When a type cannot be written as MessagePack at all, which is a bug of ours that every test would meet.
#[must_use]
pub fn encode<T: Serialize>(document: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.push(FORMAT);
    rmp_serde::encode::write(&mut bytes, document).expect("our documents have a MessagePack form");
    bytes
}

/// Writes a document that is written seldom: fields by name.
///
/// # Panics
/// As [`encode`].
#[must_use]
pub fn encode_named<T: Serialize>(document: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    bytes.push(FORMAT);
    rmp_serde::encode::write_named(&mut bytes, document).expect("our documents have a MessagePack form");
    bytes
}

/// Reads what either of the two wrote. `place` names the key or row for the error.
///
/// # Errors
/// [`StoreError::Corrupt`] when the bytes are not such a document.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], place: impl FnOnce() -> String) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&FORMAT, document)) => rmp_serde::from_slice(document)
            .map_err(|error| StoreError::Corrupt { place: place(), detail: error.to_string() }),
        Some((format, _)) => Err(StoreError::Corrupt {
            place: place(),
            detail: format!("format {format} is not known; it was written by a newer footlight"),
        }),
        None => Err(StoreError::Corrupt { place: place(), detail: "it is empty".to_owned() }),
    }
}
