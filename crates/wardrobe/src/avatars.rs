//! Keeping, finding, opening and removing an account's avatars.

use std::sync::{Arc, Weak};

use footlight_avatar::bundle::{AvatarBundle, BundleLimits, OwnBundle};
use footlight_ledger::AccountId;
use footlight_store::records::{get_record, write_surely};
use footlight_store::{
    Expected, Owner, Record, RecordBatch, RecordKey, RecordOp, RecordOutcome, RecordRange, RecordVersion, StoreError,
    codec,
};

use crate::kept::{CheckedAvatar, KeptAvatar, NewAvatar, Replace, Trial, bundle_blob, new_edition, preview_blob};
use crate::{Inner, Wardrobe, WardrobeError};

/// The collection of avatars.
const AVATARS: &str = "avatars";

/// How often a record is written that others write too, or read that is replaced meanwhile.
const TRIES_MAX: u32 = 4;

/// Records read at once.
const PAGE: usize = 200;

impl Wardrobe {
    /// Checks a bundle before it is kept. Takes some tenths of a second of a core, on a thread that may block.
    ///
    /// # Errors
    /// [`WardrobeError::Bundle`] says what is wrong with it, [`WardrobeError::Reserved`] that all may show an avatar of its
    /// name.
    pub async fn check(&self, new: NewAvatar) -> Result<CheckedAvatar, WardrobeError> {
        let checked = tokio::task::spawn_blocking(move || {
            let limits = if new.job.is_some() { BundleLimits::MADE } else { BundleLimits::CUSTOMER };
            let opened = AvatarBundle::from_bytes_within(&new.bundle, &limits)?;
            Ok(CheckedAvatar { summary: opened.summary(), new })
        });
        let checked = checked.await.map_err(|error| WardrobeError::Broken(error.to_string()))?;
        match checked {
            Ok(checked) if self.shared().has(&checked.summary.manifest.name) => {
                Err(WardrobeError::Reserved { name: checked.summary.manifest.name })
            }
            checked => checked,
        }
    }

    /// Keeps an avatar under the name that its manifest gives; durable when it answers. What it takes the place of is gone.
    ///
    /// # Errors
    /// As [`Wardrobe::put_on_trial`].
    pub async fn put(&self, account: AccountId, checked: CheckedAvatar) -> Result<KeptAvatar, WardrobeError> {
        let trial = self.put_on_trial(account, checked).await?;
        self.confirm(account, &trial).await;
        Ok(trial.kept)
    }

    /// Keeps an avatar that may have to be taken back: what it takes the place of is put aside until it is confirmed.
    ///
    /// # Errors
    /// [`WardrobeError::Taken`], [`WardrobeError::TooMany`], [`WardrobeError::NoRoom`]; what the store said.
    pub async fn put_on_trial(&self, account: AccountId, checked: CheckedAvatar) -> Result<Trial, WardrobeError> {
        let inner = &self.inner;
        let turn = inner.turn(account);
        let _turn = turn.lock().await;
        let CheckedAvatar { new, summary } = checked;
        let now = inner.now();
        let kept = KeptAvatar::of(summary, &new, new_edition(now), now);
        // Looked at before anything large is written; looked at again when the record is.
        if let Some((_, former)) = self.place_for(account, &kept, new.replace).await?
            && former.is_same_work(&kept)
        {
            return Ok(Trial { kept: former, former: None });
        }
        let bytes = new.bundle.len() + new.preview.as_ref().map_or(0, Vec::len);
        inner.make_room(account, bytes as u64).await?;

        let owner = Owner::Account(account);
        inner.store().put_blob(owner, &bundle_blob(kept.edition), new.bundle).await?;
        if let Some(preview) = new.preview {
            inner.store().put_blob(owner, &preview_blob(kept.edition), preview).await?;
        }
        for _ in 0..TRIES_MAX {
            let former = match self.place_for(account, &kept, new.replace).await {
                // The answer to the first attempt got lost.
                Ok(Some((_, former))) if former.edition == kept.edition => return Ok(Trial { kept, former: None }),
                Ok(former) => former,
                Err(error) => {
                    inner.drop_blobs(account, &kept).await;
                    return Err(error);
                }
            };
            let expected = former.as_ref().map_or(Expected::Absent, |(version, _)| Expected::Version(*version));
            let op = RecordOp::Put {
                key: key(&kept.name),
                expected,
                next: RecordVersion(rand::random()),
                due: None,
                body: codec::encode_named(&kept),
            };
            if write_surely(inner.store(), RecordBatch { owner, ops: vec![op] }).await? == RecordOutcome::Written {
                return Ok(Trial { kept, former: former.map(|(_, former)| former) });
            }
        }
        inner.drop_blobs(account, &kept).await;
        Err(StoreError::Contended { account, tries: TRIES_MAX }.into())
    }

    /// The former avatar of this name, if a new one may be written in its place.
    async fn place_for(
        &self,
        account: AccountId,
        new: &KeptAvatar,
        replace: Replace,
    ) -> Result<Option<(RecordVersion, KeptAvatar)>, WardrobeError> {
        let limit = self.inner.parts.options.avatars_max;
        match self.inner.find(account, &new.name).await? {
            Some((_, former)) if !former.gives_way_to(new, replace) => Err(WardrobeError::Taken { name: former.name }),
            Some(former) => Ok(Some(former)),
            None if matches!(replace, Replace::Edition(_)) => Err(WardrobeError::UnknownAvatar),
            None if self.list(account).await?.len() >= limit => Err(WardrobeError::TooMany { what: "avatars", limit }),
            None => Ok(None),
        }
    }

    /// Whether a new avatar would find a place, as far as can be said now.
    ///
    /// # Errors
    /// [`WardrobeError::TooMany`]; what the store said.
    pub async fn has_place(&self, account: AccountId) -> Result<(), WardrobeError> {
        let limit = self.inner.parts.options.avatars_max;
        if self.list(account).await?.len() < limit {
            Ok(())
        } else {
            Err(WardrobeError::TooMany { what: "avatars", limit })
        }
    }

    /// An account's avatars, by name.
    ///
    /// # Errors
    /// What the store said.
    pub async fn list(&self, account: AccountId) -> Result<Vec<KeptAvatar>, StoreError> {
        self.inner.list(account).await
    }

    /// One avatar of an account.
    ///
    /// # Errors
    /// What the store said.
    pub async fn get(&self, account: AccountId, name: &str) -> Result<Option<KeptAvatar>, StoreError> {
        Ok(self.inner.find(account, name).await?.map(|(_, kept)| kept))
    }

    /// The bundle of an avatar, as sessions take it; `None` if there is none of this name. Those who show the same one
    /// share its bytes, for as long as one of them holds it.
    ///
    /// # Errors
    /// What the store said.
    pub async fn open(&self, account: AccountId, name: &str) -> Result<Option<Arc<OwnBundle>>, StoreError> {
        let inner = &self.inner;
        // Replaced between the record and the blob: then the record says something new.
        for _ in 0..TRIES_MAX {
            let Some((_, kept)) = inner.find(account, name).await? else { return Ok(None) };
            let edition = kept.edition.as_u128();
            if let Some(shown) = inner.shown(edition) {
                return Ok(Some(shown));
            }
            // One reads it, and the others wait: each of them would hold a copy until it found that there is one.
            let turn = inner.opening(edition);
            let _turn = turn.lock().await;
            if let Some(shown) = inner.shown(edition) {
                return Ok(Some(shown));
            }
            let blob = inner.store().get_blob(Owner::Account(account), &bundle_blob(kept.edition)).await?;
            let Some(bytes) = blob else { continue };
            let opened = Arc::new(OwnBundle { name: kept.name, edition, bytes: bytes.into() });
            let mut shown = inner.shown.lock();
            shown.retain(|_, bundle| bundle.strong_count() > 0);
            shown.insert(edition, Arc::downgrade(&opened));
            return Ok(Some(opened));
        }
        Err(StoreError::Corrupt {
            place: format!("avatar {name} of {account}"),
            detail: "its bundle is gone".to_owned(),
        })
    }

    /// The preview of an avatar: a PNG.
    ///
    /// # Errors
    /// What the store said.
    pub async fn preview(&self, account: AccountId, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some((_, kept)) = self.inner.find(account, name).await? else { return Ok(None) };
        self.inner.store().get_blob(Owner::Account(account), &preview_blob(kept.edition)).await
    }

    /// Removes an avatar. Sessions that show it go on.
    ///
    /// # Errors
    /// [`WardrobeError::UnknownAvatar`]; what the store said.
    pub async fn remove(&self, account: AccountId, name: &str) -> Result<(), WardrobeError> {
        self.remove_if(account, name, |_| true).await
    }

    /// Confirms an avatar: what it took the place of is gone.
    pub async fn confirm(&self, account: AccountId, trial: &Trial) {
        if let Some(former) = &trial.former {
            self.inner.drop_blobs(account, former).await;
        }
    }

    /// Takes an avatar back that was kept on trial, and puts back what it took the place of; unless another has its place by
    /// now.
    ///
    /// # Errors
    /// [`WardrobeError::UnknownAvatar`]; what the store said.
    pub async fn take_back(&self, account: AccountId, trial: &Trial) -> Result<(), WardrobeError> {
        let kept = &trial.kept;
        let Some(former) = &trial.former else {
            return self.remove_if(account, &kept.name, |present| present.edition == kept.edition).await;
        };
        let inner = &self.inner;
        let found = inner.find(account, &kept.name).await?.filter(|(_, present)| present.edition == kept.edition);
        let Some((version, _)) = found else { return Err(WardrobeError::UnknownAvatar) };
        let op = RecordOp::Put {
            key: key(&kept.name),
            expected: Expected::Version(version),
            next: RecordVersion(rand::random()),
            due: None,
            body: codec::encode_named(former),
        };
        let batch = RecordBatch { owner: Owner::Account(account), ops: vec![op] };
        match write_surely(inner.store(), batch).await? {
            RecordOutcome::Written => {
                inner.drop_blobs(account, kept).await;
                Ok(())
            }
            RecordOutcome::Conflict => Err(WardrobeError::UnknownAvatar),
        }
    }

    async fn remove_if(
        &self,
        account: AccountId,
        name: &str,
        wanted: impl Fn(&KeptAvatar) -> bool + Send + Sync,
    ) -> Result<(), WardrobeError> {
        let inner = &self.inner;
        for _ in 0..TRIES_MAX {
            let found = inner.find(account, name).await?.filter(|(_, kept)| wanted(kept));
            let Some((version, kept)) = found else { return Err(WardrobeError::UnknownAvatar) };
            let ops = vec![RecordOp::Delete { key: key(name), expected: Expected::Version(version) }];
            let batch = RecordBatch { owner: Owner::Account(account), ops };
            if write_surely(inner.store(), batch).await? == RecordOutcome::Written {
                inner.drop_blobs(account, &kept).await;
                return Ok(());
            }
        }
        Err(StoreError::Contended { account, tries: TRIES_MAX }.into())
    }
}

impl Inner {
    /// A bundle that somebody shows, or is sent.
    fn shown(&self, edition: u128) -> Option<Arc<OwnBundle>> {
        self.shown.lock().get(&edition).and_then(Weak::upgrade)
    }

    /// All of them, whatever the limit was when they came.
    pub(crate) async fn list(&self, account: AccountId) -> Result<Vec<KeptAvatar>, StoreError> {
        let mut found: Vec<KeptAvatar> = Vec::new();
        loop {
            let after = found.last().map(|last| last.name.clone());
            let range = RecordRange { after, limit: PAGE, ..RecordRange::default() };
            let records = self.store().list_records(Owner::Account(account), AVATARS, range).await?;
            for record in &records {
                found.push(read(record)?);
            }
            if records.len() < PAGE {
                return Ok(found);
            }
        }
    }

    async fn find(&self, account: AccountId, name: &str) -> Result<Option<(RecordVersion, KeptAvatar)>, StoreError> {
        if !may_be_a_name(name) {
            return Ok(None);
        }
        let record = get_record(self.store(), Owner::Account(account), &key(name)).await?;
        record.map(|record| Ok((record.version, read(&record)?))).transpose()
    }

    /// Removes the blobs of an edition that nothing names. What is left behind when this fails is swept later.
    async fn drop_blobs(&self, account: AccountId, kept: &KeptAvatar) {
        for blob in [bundle_blob(kept.edition), preview_blob(kept.edition)] {
            if let Err(error) = self.store().delete_blob(Owner::Account(account), &blob).await {
                tracing::debug!(%error, %account, blob, "a blob that nothing names stays for now");
            }
        }
    }
}

/// What cannot be an avatar's name is not looked for: stores refuse names that no record may have.
fn may_be_a_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= 40 && name.bytes().all(fits)
}

fn key(name: &str) -> RecordKey {
    RecordKey::new(AVATARS, name)
}

fn read(record: &Record) -> Result<KeptAvatar, StoreError> {
    codec::decode(&record.body, || record.id.clone())
}
