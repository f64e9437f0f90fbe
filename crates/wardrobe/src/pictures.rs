//! Pictures that avatars are made from: uploaded, used once or twice, removed after a while.

use std::fmt;
use std::str::FromStr;

use footlight_ledger::{AccountId, Timestamp};
use footlight_store::records::{get_record, write_surely};
use footlight_store::{
    Due, Expected, Owner, RecordBatch, RecordKey, RecordOp, RecordRange, RecordVersion, StoreError, codec,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Inner, Wardrobe, WardrobeError};

/// The collection of pictures, due when they are to be removed.
pub(crate) const PICTURES: &str = "pictures";
/// The line in which they wait for that.
const REMOVAL: &str = "removal";

/// The largest picture file, in bytes.
pub const PICTURE_MAX: usize = 16 << 20;

/// Names an uploaded picture within its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureId(pub Uuid);

const ID_PREFIX: &str = "pic_";

impl fmt::Display for PictureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ID_PREFIX}{}", self.0.simple())
    }
}

impl FromStr for PictureId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "is no picture's id; they look like pic_0193b5f2a7c87d1e8f3a9b2c4d5e6f70";
        let digits = text.strip_prefix(ID_PREFIX).filter(|digits| digits.len() == 32).ok_or(wrong)?;
        Ok(Self(Uuid::try_parse(digits).map_err(|_| wrong)?))
    }
}

/// What a picture's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureFormat {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
}

impl PictureFormat {
    /// Told by how the bytes begin, whatever they are said to be.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            _ => None,
        }
    }

    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
        }
    }
}

/// An uploaded picture, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Its name.
    pub id: PictureId,
    /// What it is.
    pub format: PictureFormat,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was uploaded.
    pub created_at: Timestamp,
    /// When it is removed.
    pub expires_at: Timestamp,
}

impl Wardrobe {
    /// Keeps a picture for a while.
    ///
    /// # Errors
    /// [`WardrobeError::NoPicture`], [`WardrobeError::TooMany`], [`WardrobeError::NoRoom`]; what the store said.
    pub async fn put_picture(&self, account: AccountId, bytes: Vec<u8>) -> Result<Picture, WardrobeError> {
        let inner = &self.inner;
        let format = PictureFormat::of(&bytes).ok_or(WardrobeError::NoPicture)?;
        let options = &inner.parts.options;
        let turn = inner.turn(account);
        let _turn = turn.lock().await;
        inner.make_room(account, bytes.len() as u64).await?;
        let owner = Owner::Account(account);
        if self.pictures(account).await?.len() >= options.pictures_max {
            return Err(WardrobeError::TooMany { what: "uploaded pictures", limit: options.pictures_max });
        }
        let now = inner.now();
        let kept_ms = i64::try_from(options.picture_kept.as_millis()).unwrap_or(i64::MAX);
        let picture = Picture {
            id: PictureId(Uuid::now_v7()),
            format,
            bytes: bytes.len() as u64,
            created_at: now,
            expires_at: now.plus_ms(kept_ms),
        };
        // The record first: what it says when there is no blob yet is that something must be removed.
        let op = RecordOp::Put {
            key: key(picture.id),
            expected: Expected::Absent,
            next: RecordVersion(rand::random()),
            due: Some(Due { queue: REMOVAL.to_owned(), at: picture.expires_at }),
            body: codec::encode_named(&picture),
        };
        write_surely(inner.store(), RecordBatch { owner, ops: vec![op] }).await?;
        if let Err(error) = inner.store().put_blob(owner, &blob(picture.id), bytes).await {
            let _ = inner.remove_picture(account, picture.id).await;
            return Err(error.into());
        }
        Ok(picture)
    }

    /// An account's pictures, in the order in which they came.
    ///
    /// # Errors
    /// What the store said.
    pub async fn pictures(&self, account: AccountId) -> Result<Vec<Picture>, StoreError> {
        // One more than there may be: whoever counts must see that there is no place.
        let range = RecordRange { limit: self.inner.parts.options.pictures_max + 1, ..RecordRange::default() };
        let records = self.inner.store().list_records(Owner::Account(account), PICTURES, range).await?;
        records.iter().map(|record| codec::decode(&record.body, || record.id.clone())).collect()
    }

    /// A picture's bytes.
    ///
    /// # Errors
    /// [`WardrobeError::UnknownPicture`]; what the store said.
    pub async fn picture(&self, account: AccountId, id: PictureId) -> Result<Vec<u8>, WardrobeError> {
        let bytes = self.inner.store().get_blob(Owner::Account(account), &blob(id)).await?;
        bytes.ok_or(WardrobeError::UnknownPicture)
    }

    /// Whether there is such a picture.
    ///
    /// # Errors
    /// What the store said.
    pub async fn has_picture(&self, account: AccountId, id: PictureId) -> Result<bool, StoreError> {
        Ok(get_record(self.inner.store(), Owner::Account(account), &key(id)).await?.is_some())
    }

    /// Removes a picture before its time.
    ///
    /// # Errors
    /// [`WardrobeError::UnknownPicture`]; what the store said.
    pub async fn remove_picture(&self, account: AccountId, id: PictureId) -> Result<(), WardrobeError> {
        if !self.has_picture(account, id).await? {
            return Err(WardrobeError::UnknownPicture);
        }
        Ok(self.inner.remove_picture(account, id).await?)
    }
}

impl Inner {
    /// The blob first: while there is a record, somebody comes back for it.
    pub(crate) async fn remove_picture(&self, account: AccountId, id: PictureId) -> Result<(), StoreError> {
        let owner = Owner::Account(account);
        self.store().delete_blob(owner, &blob(id)).await?;
        let gone = RecordOp::Delete { key: key(id), expected: Expected::Any };
        write_surely(self.store(), RecordBatch { owner, ops: vec![gone] }).await.map(drop)
    }
}

fn key(id: PictureId) -> RecordKey {
    RecordKey::new(PICTURES, id.0.simple().to_string())
}

fn blob(id: PictureId) -> String {
    format!("picture-{}", id.0.simple())
}
