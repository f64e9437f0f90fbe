//! Blobs: hashes of pieces, over a connection of their own, so that no heartbeat waits behind a portrait.

use async_trait::async_trait;
use footlight_store::blobs::{check_blob_id, check_blob_len};
use footlight_store::{BlobInfo, BlobStore, Owner, StoreError};
use redis::{Cmd, Value};
use uuid::Uuid;

use crate::RedisStore;
use crate::failure::{Stage, explain};
use crate::keys::BlobKeys;
use crate::link::Link;
use crate::lists::command;
use crate::reply;
use crate::script::{BEGIN_BLOB, FINISH_BLOB};

/// One piece: the server does nothing else while it takes one, about a millisecond.
const PIECE: usize = 1 << 20;

/// How long the pieces of a blob that was never finished stay.
const UNFINISHED_S: u64 = 600;

/// How often a blob is read that is replaced meanwhile.
const READS_MAX: u32 = 8;

#[async_trait]
impl BlobStore for RedisStore {
    /// Written piece by piece under another name, which takes the blob's place in one step.
    async fn put_blob(&self, owner: Owner, id: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        check_blob_id(id)?;
        check_blob_len(bytes.len())?;
        let keys = BlobKeys::of(owner);
        let version = Uuid::now_v7();
        let unfinished = keys.unfinished(version);
        let written = self.write_blob(&keys, &unfinished, version, id, &bytes).await;
        if written.is_err() {
            // Without this it stays for ten minutes. After a reply that got lost it may have its name already.
            let _ = write(&self.blobs, command("UNLINK", &unfinished)).await;
        }
        written
    }

    /// A blob that is replaced while it is read is read again: every piece comes with the version that it belongs to.
    async fn get_blob(&self, owner: Owner, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        check_blob_id(id)?;
        let key = BlobKeys::of(owner).blob(id);
        for _ in 0..READS_MAX {
            match self.read_blob(&key).await? {
                Read::Whole(bytes) => return Ok(Some(bytes)),
                Read::Nothing => return Ok(None),
                Read::Changed => {}
            }
        }
        Err(StoreError::unreachable("a blob is replaced faster than it can be read"))
    }

    async fn delete_blob(&self, owner: Owner, id: &str) -> Result<(), StoreError> {
        check_blob_id(id)?;
        let keys = BlobKeys::of(owner);
        write(&self.blobs, command("UNLINK", &keys.blob(id))).await?;
        let mut remove = command("HDEL", &keys.index());
        remove.arg(id);
        write(&self.blobs, remove).await
    }

    async fn list_blobs(&self, owner: Owner) -> Result<Vec<BlobInfo>, StoreError> {
        let key = BlobKeys::of(owner).index();
        let corrupt = |detail: &str| StoreError::Corrupt { place: key.clone(), detail: detail.to_owned() };
        let listed = self.blobs.ask(command("HGETALL", &key), Stage::Reading).await?;
        let pairs: Vec<(String, u64)> = redis::from_redis_value(listed).map_err(|error| corrupt(&error.to_string()))?;
        let mut blobs: Vec<BlobInfo> = pairs.into_iter().map(|(id, len)| BlobInfo { id, len }).collect();
        blobs.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(blobs)
    }
}

/// What came of reading a blob.
enum Read {
    Whole(Vec<u8>),
    Nothing,
    /// It was replaced or deleted meanwhile.
    Changed,
}

impl RedisStore {
    async fn write_blob(
        &self,
        keys: &BlobKeys,
        unfinished: &str,
        version: Uuid,
        id: &str,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let mut begin = BEGIN_BLOB.call(&[unfinished.to_owned()]);
        begin.arg(bytes.len()).arg(version.as_bytes()).arg(UNFINISHED_S);
        BEGIN_BLOB.run(&self.blobs, begin, Stage::Writing).await?;
        for (number, piece) in bytes.chunks(PIECE).enumerate() {
            let mut set = command("HSET", unfinished);
            set.arg(number).arg(piece);
            write(&self.blobs, set).await?;
        }
        let mut finish = FINISH_BLOB.call(&[unfinished.to_owned(), keys.blob(id), keys.index()]);
        finish.arg(id).arg(bytes.len()).arg(version.as_bytes());
        let finished = FINISH_BLOB.run(&self.blobs, finish, Stage::Writing).await?;
        if reply::number(unfinished, &finished)? == 1 {
            return Ok(());
        }
        Err(StoreError::unreachable(format!("a blob took longer than {UNFINISHED_S} s to write")))
    }

    async fn read_blob(&self, key: &str) -> Result<Read, StoreError> {
        let Some((len, version)) = self.field_of(key, "len").await? else { return Ok(Read::Nothing) };
        let len = std::str::from_utf8(&len).ok().and_then(|len| len.parse::<usize>().ok());
        let corrupt =
            || StoreError::Corrupt { place: key.to_owned(), detail: "its pieces do not fit together".to_owned() };
        let len = len.ok_or_else(corrupt)?;
        check_blob_len(len).map_err(|_| corrupt())?;
        let mut bytes = Vec::with_capacity(len);
        for number in 0..len.div_ceil(PIECE) {
            match self.field_of(key, &number.to_string()).await? {
                Some((piece, of)) if of == version => bytes.extend(piece),
                None if self.field_of(key, "len").await?.is_some_and(|(_, now)| now == version) => {
                    return Err(corrupt());
                }
                _ => return Ok(Read::Changed),
            }
        }
        if bytes.len() == len { Ok(Read::Whole(bytes)) } else { Err(corrupt()) }
    }

    /// A field of a blob, and the version that it belongs to.
    async fn field_of(&self, key: &str, field: &str) -> Result<Option<(Vec<u8>, Vec<u8>)>, StoreError> {
        let mut get = command("HMGET", key);
        get.arg(field).arg("version");
        let mut found = reply::list(key, self.blobs.ask(get, Stage::Reading).await?)?.into_iter();
        let mut next = || reply::bytes(key, found.next().unwrap_or(Value::Nil));
        let (value, version) = (next()?, next()?);
        Ok(value.map(|value| (value, version.unwrap_or_default())))
    }
}

async fn write(link: &Link, command: Cmd) -> Result<(), StoreError> {
    let reply = link.ask(command, Stage::Writing).await?;
    reply.extract_error().map(drop).map_err(|error| explain(&error, Stage::Writing))
}
