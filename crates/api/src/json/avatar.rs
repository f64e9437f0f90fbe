//! Avatars, and pictures that they are made from.

use footlight_avatar::bundle::{DEFAULT_AVATAR, Summary};
use footlight_ledger::JobId;
use footlight_wardrobe::{KeptAvatar, Picture};
use serde::Serialize;
use utoipa::ToSchema;

use super::Instant;

/// One avatar.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Avatar)]
pub struct AvatarJson {
    /// Its name: what a session asks for.
    #[schema(example = "ada")]
    pub name: String,
    /// Its name for people.
    #[schema(example = "Ada")]
    pub title: String,
    /// The licence of its pictures, as an SPDX expression.
    #[schema(example = "Apache-2.0")]
    pub licence: String,
    /// The size it is drawn at, in pixels; sessions may ask for others.
    pub width: u32,
    /// See `width`.
    pub height: u32,
    /// What a session that shows it can be asked to do.
    #[schema(example = json!(["nod", "wink"]))]
    pub gestures: Vec<String>,
    /// Whether a session that names no avatar gets this one.
    pub default: bool,
    /// Whether it is the account's own; others are for all.
    pub own: bool,
    /// Whether there is a preview to be fetched.
    pub has_preview: bool,
    /// The length of its bundle in bytes; null for those that all may show.
    pub bytes: Option<u64>,
    /// The job that made it; null if none did.
    #[schema(value_type = Option<String>, example = "job_0193b5f2a7c87d1e8f3a9b2c4d5e6f70")]
    pub job_id: Option<JobId>,
    /// When it was uploaded or made; null for those that all may show.
    pub created_at: Option<Instant>,
}

impl AvatarJson {
    /// One that all may show.
    #[must_use]
    pub fn shared(Summary { manifest, gestures }: Summary) -> Self {
        Self {
            gestures,
            default: manifest.name == DEFAULT_AVATAR,
            name: manifest.name,
            title: manifest.title,
            licence: manifest.licence,
            width: manifest.width,
            height: manifest.height,
            own: false,
            has_preview: false,
            bytes: None,
            job_id: None,
            created_at: None,
        }
    }

    /// An account's own.
    #[must_use]
    pub fn own(kept: KeptAvatar) -> Self {
        Self {
            gestures: kept.gestures,
            default: false,
            name: kept.name,
            title: kept.title,
            licence: kept.licence,
            width: kept.width,
            height: kept.height,
            own: true,
            has_preview: kept.has_preview,
            bytes: Some(kept.bytes),
            job_id: kept.job,
            created_at: Some(Instant(kept.created_at)),
        }
    }
}

/// An uploaded picture.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Picture)]
pub struct PictureJson {
    /// Its name: what a job of the kind `agent` asks for.
    #[schema(example = "pic_0193b5f2a7c87d1e8f3a9b2c4d5e6f70")]
    pub id: String,
    /// `image/png` or `image/jpeg`, told by its bytes.
    #[schema(example = "image/jpeg")]
    pub media_type: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was uploaded.
    pub created_at: Instant,
    /// When it is removed.
    pub expires_at: Instant,
}

impl PictureJson {
    /// A picture, as its owner sees it.
    #[must_use]
    pub fn of(picture: Picture) -> Self {
        Self {
            id: picture.id.to_string(),
            media_type: picture.format.media_type().to_owned(),
            bytes: picture.bytes,
            created_at: picture.created_at.into(),
            expires_at: picture.expires_at.into(),
        }
    }
}
