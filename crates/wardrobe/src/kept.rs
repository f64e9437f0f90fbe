//! What is written down of an avatar.

use footlight_avatar::bundle::{Manifest, Summary};
use footlight_ledger::{JobId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::{NoContext, Uuid};

/// An account's own avatar, as its record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAvatar {
    /// Its name within the account.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// The licence of its pictures, as an SPDX expression.
    pub licence: String,
    /// The size it is drawn at, in pixels.
    pub width: u32,
    /// See `width`.
    pub height: u32,
    /// Which state of it this is; names its blobs. Ordered by time.
    pub edition: Uuid,
    /// The length of its bundle in bytes.
    pub bytes: u64,
    /// SHA-256 of its bundle.
    pub digest: [u8; 32],
    /// Whether there is a preview.
    pub has_preview: bool,
    /// What it can do on command.
    pub gestures: Vec<String>,
    /// The job that made it so; `None` if it was uploaded.
    pub job: Option<JobId>,
    /// Whether its pictures are those of an avatar that all may show: its account may show it, and not take them away.
    pub is_copy: bool,
    /// When it came to be as it is.
    pub created_at: Timestamp,
}

/// An avatar to be kept.
#[derive(Debug)]
pub struct NewAvatar {
    /// The packed bundle.
    pub bundle: Vec<u8>,
    /// A picture of it for people: PNG.
    pub preview: Option<Vec<u8>>,
    /// The job that made it.
    pub job: Option<JobId>,
    /// Whether it is made of one that all may show.
    pub is_copy: bool,
    /// Whose place it may take.
    pub replace: Replace,
}

/// Which avatar of its name a new one may take the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// None.
    Nothing,
    /// Whichever is there.
    Whichever,
    /// This edition and no other: it was made from it.
    Edition(Uuid),
}

/// An avatar that was kept, and what it took the place of.
#[derive(Debug)]
pub struct Trial {
    /// What is there now.
    pub kept: KeptAvatar,
    pub(crate) former: Option<KeptAvatar>,
}

/// An avatar whose bundle is good.
#[derive(Debug)]
pub struct CheckedAvatar {
    pub(crate) new: NewAvatar,
    pub(crate) summary: Summary,
}

impl KeptAvatar {
    pub(crate) fn of(summary: Summary, new: &NewAvatar, edition: Uuid, created_at: Timestamp) -> Self {
        let Summary { manifest, gestures } = summary;
        let Manifest { name, title, licence, width, height, .. } = manifest;
        Self {
            name,
            title,
            licence,
            width,
            height,
            edition,
            bytes: new.bundle.len() as u64,
            digest: Sha256::digest(&new.bundle).into(),
            has_preview: new.preview.is_some(),
            gestures,
            job: new.job,
            is_copy: new.is_copy,
            created_at,
        }
    }

    /// Whether a new avatar is this one again: an upload whose answer got lost, or a job that was begun a second time.
    pub(crate) fn is_same_work(&self, new: &Self) -> bool {
        self.digest == new.digest && self.job == new.job
    }

    /// Whether a new avatar of its name may take its place.
    pub(crate) fn gives_way_to(&self, new: &Self, replace: Replace) -> bool {
        let is_own_job = self.job.is_some() && self.job == new.job;
        is_own_job
            || self.is_same_work(new)
            || match replace {
                Replace::Nothing => false,
                Replace::Whichever => true,
                Replace::Edition(edition) => self.edition == edition,
            }
    }
}

/// The blob of an edition's bundle.
pub(crate) fn bundle_blob(edition: Uuid) -> String {
    format!("{BLOB_PREFIX}{}.zip", edition.simple())
}

/// The blob of an edition's preview.
pub(crate) fn preview_blob(edition: Uuid) -> String {
    format!("{BLOB_PREFIX}{}.png", edition.simple())
}

/// The edition that a blob belongs to, if it is an avatar's.
pub(crate) fn edition_of_blob(id: &str) -> Option<Uuid> {
    let (edition, _) = id.strip_prefix(BLOB_PREFIX)?.split_once('.')?;
    Uuid::try_parse(edition).ok()
}

const BLOB_PREFIX: &str = "avatar-";

/// A new edition: its time tells how old a blob is.
pub(crate) fn new_edition(now: Timestamp) -> Uuid {
    let ms = u64::try_from(now.0).unwrap_or_default();
    let nanos = u32::try_from(ms % 1_000).unwrap_or_default() * 1_000_000;
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, ms / 1_000, nanos))
}

/// When an edition was written, in milliseconds since 1970.
pub(crate) fn written_ms(edition: Uuid) -> i64 {
    let (seconds, nanos) = edition.get_timestamp().map_or((0, 0), |time| time.to_unix());
    i64::try_from(seconds).unwrap_or(i64::MAX / 2_000) * 1_000 + i64::from(nanos / 1_000_000)
}
