//! Blobs: hashes of pieces, over a connection of their own, so that no heartbeat waits behind a portrait.

use async_trait::async_trait;
use footlight_store::blobs::{check_blob_id, check_blob_len};
use footlight_store::{BlobInfo, BlobStore, Owner, StoreError};
use redis::Cmd;
use uuid::Uuid;

use crate::RedisStore;
use crate::failure::{Stage, explain};
use crate::keys::BlobKeys;
use crate::link::Link;
use crate::lists::command;
use crate::reply;

/// One piece: the server does nothing else while it takes one, about a millisecond.
const PIECE: usize = 1 << 20;

/// How long the pieces of a blob that was never finished stay.
const UNFINISHED_S: u64 = 600;

#[async_trait]
impl BlobStore for RedisStore {
    /// Written piece by piece under another name, which takes the blob's place in one step.
    async fn put_blob(&self, owner: Owner, id: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        check_blob_id(id)?;
        check_blob_len(bytes.len())?;
        let keys = BlobKeys::of(owner);
        let unfinished = keys.unfinished(Uuid::now_v7());
        let mut len = command("HSET", &unfinished);
        len.arg("len").arg(bytes.len());
        write(&self.blobs, len).await?;
        let mut expire = command("EXPIRE", &unfinished);
        expire.arg(UNFINISHED_S);
        write(&self.blobs, expire).await?;
        for (number, piece) in bytes.chunks(PIECE).enumerate() {
            let mut set = command("HSET", &unfinished);
            set.arg(number).arg(piece);
            write(&self.blobs, set).await?;
        }
        // Kept before it gets its name: a blob that expires would be worse than one that is forgotten half-way.
        write(&self.blobs, command("PERSIST", &unfinished)).await?;
        let mut index = command("HSET", &keys.index());
        index.arg(id).arg(bytes.len());
        write(&self.blobs, index).await?;
        let mut rename = command("RENAME", &unfinished);
        rename.arg(keys.blob(id));
        write(&self.blobs, rename).await
    }

    async fn get_blob(&self, owner: Owner, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        check_blob_id(id)?;
        let key = BlobKeys::of(owner).blob(id);
        let field = |name: String| {
            let mut get = command("HGET", &key);
            get.arg(name);
            get
        };
        let asked = self.blobs.ask(field("len".to_owned()), Stage::Reading).await?;
        let Some(len) = reply::bytes(&key, asked)? else { return Ok(None) };
        let len = std::str::from_utf8(&len).ok().and_then(|len| len.parse::<usize>().ok());
        let corrupt =
            || StoreError::Corrupt { place: key.clone(), detail: "its pieces do not fit together".to_owned() };
        let len = len.ok_or_else(corrupt)?;
        let mut bytes = Vec::with_capacity(len);
        for number in 0..len.div_ceil(PIECE) {
            let piece = reply::bytes(&key, self.blobs.ask(field(number.to_string()), Stage::Reading).await?)?;
            bytes.extend(piece.ok_or_else(corrupt)?);
        }
        if bytes.len() == len { Ok(Some(bytes)) } else { Err(corrupt()) }
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

async fn write(link: &Link, command: Cmd) -> Result<(), StoreError> {
    let reply = link.ask(command, Stage::Writing).await?;
    reply.extract_error().map(drop).map_err(|error| explain(&error, Stage::Writing))
}
