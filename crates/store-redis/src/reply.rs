//! Replies as what they should be; anything else is named as unreadable.

use footlight_store::StoreError;
use redis::Value;
use uuid::Uuid;

fn unexpected(place: &str, reply: &Value) -> StoreError {
    StoreError::Corrupt { place: place.to_owned(), detail: format!("redis replied {reply:?}") }
}

/// A string, or nothing.
pub(crate) fn bytes(place: &str, reply: Value) -> Result<Option<Vec<u8>>, StoreError> {
    match reply {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes)),
        other => Err(unexpected(place, &other)),
    }
}

/// A list of anything.
pub(crate) fn list(place: &str, reply: Value) -> Result<Vec<Value>, StoreError> {
    match reply {
        Value::Array(values) | Value::Set(values) => Ok(values),
        Value::Nil => Ok(Vec::new()),
        other => Err(unexpected(place, &other)),
    }
}

/// A list of strings.
pub(crate) fn strings(place: &str, reply: Value) -> Result<Vec<Vec<u8>>, StoreError> {
    let values = list(place, reply)?;
    values.into_iter().map(|value| Ok(bytes(place, value)?.unwrap_or_default())).collect()
}

/// A list of ids.
pub(crate) fn ids(place: &str, reply: Value) -> Result<Vec<Uuid>, StoreError> {
    let corrupt = |error: uuid::Error| StoreError::Corrupt { place: place.to_owned(), detail: error.to_string() };
    strings(place, reply)?.iter().map(|id| Uuid::from_slice(id).map_err(corrupt)).collect()
}

/// A number, as one or as text.
pub(crate) fn number(place: &str, reply: &Value) -> Result<i64, StoreError> {
    let text = match reply {
        Value::Int(number) => return Ok(*number),
        Value::BulkString(text) => std::str::from_utf8(text).ok(),
        Value::SimpleString(text) => Some(text.as_str()),
        _ => None,
    };
    text.and_then(|text| text.parse().ok()).ok_or_else(|| unexpected(place, reply))
}
