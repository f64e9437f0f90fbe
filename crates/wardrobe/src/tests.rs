//! On the embedded store, with bundles that ship, renamed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use footlight_avatar::bundle::parts::Axis;
use footlight_avatar::bundle::{Catalogue, Channel, Gesture, Key, shipped};
use footlight_ledger::{AccountId, JobId, Timestamp};
use footlight_store::{BlobInfo, BlobStore as _, Owner, SqliteStore};
use uuid::Uuid;

use crate::{KeptAvatar, NewAvatar, Replace, Wardrobe, WardrobeError, WardrobeOptions, WardrobeParts, upkeep};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nand so on";
const HOUR_MS: i64 = 3_600_000;

struct House {
    wardrobe: Wardrobe,
    store: Arc<SqliteStore>,
    clock: Arc<AtomicI64>,
}

fn house_with(options: WardrobeOptions) -> House {
    let store = Arc::new(SqliteStore::in_memory().unwrap());
    let clock = Arc::new(AtomicI64::new(1_700_000_000_000));
    House { wardrobe: wardrobe(&store, &clock, options), store, clock }
}

fn wardrobe(store: &Arc<SqliteStore>, clock: &Arc<AtomicI64>, options: WardrobeOptions) -> Wardrobe {
    let wall = Arc::clone(clock);
    let clock = Arc::new(move || Timestamp(wall.load(Ordering::SeqCst)));
    Wardrobe::start(WardrobeParts { store: store.clone(), shared: Catalogue::default(), clock, options })
}

fn house() -> House {
    house_with(WardrobeOptions { avatars_max: 2, pictures_max: 2, ..WardrobeOptions::default() })
}

fn account(number: u128) -> AccountId {
    AccountId(Uuid::from_u128(number))
}

/// A good bundle of this name; its title makes it differ.
fn bundle(name: &str, title: &str) -> Vec<u8> {
    let mut bundle = shipped("clapper").unwrap();
    (bundle.manifest.name, bundle.manifest.title) = (name.to_owned(), title.to_owned());
    bundle.to_bytes().unwrap()
}

fn new(bundle: &[u8], replace: Replace) -> NewAvatar {
    NewAvatar { bundle: bundle.to_vec(), preview: Some(PNG.to_vec()), job: None, is_copy: false, replace }
}

impl House {
    async fn put(&self, account: AccountId, new: NewAvatar) -> Result<KeptAvatar, WardrobeError> {
        let checked = self.wardrobe.check(new).await?;
        self.wardrobe.put(account, checked).await
    }

    async fn blobs(&self, account: AccountId) -> Vec<String> {
        let blobs: Vec<BlobInfo> = self.store.list_blobs(Owner::Account(account)).await.unwrap();
        blobs.into_iter().map(|blob| blob.id).collect()
    }
}

#[tokio::test]
async fn an_avatar_is_kept_shown_replaced_and_removed_by_its_account_alone() {
    let house = house();
    let wardrobe = &house.wardrobe;
    let (mine, other) = (account(1), account(2));
    let first = bundle("mine", "First");
    let kept = house.put(mine, new(&first, Replace::Nothing)).await.unwrap();
    assert_eq!((kept.name.as_str(), kept.title.as_str(), kept.bytes), ("mine", "First", first.len() as u64));
    let opened = wardrobe.open(mine, "mine").await.unwrap().unwrap();
    assert_eq!(opened.bytes, first);
    assert!(Arc::ptr_eq(&opened, &wardrobe.open(mine, "mine").await.unwrap().unwrap()), "its bytes are shared");
    assert_eq!(wardrobe.preview(mine, "mine").await.unwrap().as_deref(), Some(PNG));
    assert!(wardrobe.open(other, "mine").await.unwrap().is_none() && wardrobe.list(other).await.unwrap().is_empty());
    assert!(matches!(wardrobe.remove(other, "mine").await, Err(WardrobeError::UnknownAvatar)));

    let again = house.put(mine, new(&first, Replace::Nothing)).await.unwrap();
    assert_eq!(again.edition, kept.edition, "the same again, after an answer that got lost");
    let second = bundle("mine", "Second");
    let taken = house.put(mine, new(&second, Replace::Nothing)).await;
    assert!(matches!(taken, Err(WardrobeError::Taken { .. })), "{taken:?}");
    let of_another = house.put(mine, new(&second, Replace::Edition(Uuid::from_u128(7)))).await;
    assert!(matches!(of_another, Err(WardrobeError::Taken { .. })), "{of_another:?}");
    let replaced = house.put(mine, new(&second, Replace::Edition(kept.edition))).await.unwrap();
    assert_ne!(wardrobe.open(mine, "mine").await.unwrap().unwrap().edition, opened.edition);
    assert_eq!(house.blobs(mine).await.len(), 2, "the former edition's blobs are gone");

    wardrobe.remove(mine, "mine").await.unwrap();
    assert!(house.blobs(mine).await.is_empty());
    assert_eq!(opened.bytes, first, "who shows it keeps it");
    let gone = house.put(mine, new(&second, Replace::Edition(replaced.edition))).await;
    assert!(matches!(gone, Err(WardrobeError::UnknownAvatar)), "what was removed does not come back: {gone:?}");
}

#[tokio::test]
async fn a_job_that_is_done_again_finds_its_own_work() {
    let house = house();
    let mine = account(1);
    let by_job = |title: &str, job: u128| NewAvatar {
        job: Some(JobId(Uuid::from_u128(job))),
        ..new(&bundle("mine", title), Replace::Nothing)
    };
    let kept = house.put(mine, by_job("Made", 1)).await.unwrap();
    assert_eq!(house.put(mine, by_job("Made", 1)).await.unwrap().edition, kept.edition);
    assert_ne!(house.put(mine, by_job("Made anew", 1)).await.unwrap().edition, kept.edition);
    assert!(matches!(house.put(mine, by_job("Other", 2)).await, Err(WardrobeError::Taken { .. })));
}

#[tokio::test]
async fn what_is_taken_back_gives_its_place_to_what_was_there() {
    let house = house();
    let (wardrobe, mine) = (&house.wardrobe, account(1));
    let first = bundle("mine", "First");
    house.put(mine, new(&first, Replace::Nothing)).await.unwrap();
    let trial = async |title: &str| {
        let checked = wardrobe.check(new(&bundle("mine", title), Replace::Whichever)).await.unwrap();
        wardrobe.put_on_trial(mine, checked).await.unwrap()
    };
    let second = trial("Second").await;
    assert_eq!(wardrobe.get(mine, "mine").await.unwrap().unwrap().title, "Second");
    wardrobe.take_back(mine, &second).await.unwrap();
    assert_eq!(wardrobe.open(mine, "mine").await.unwrap().unwrap().bytes, first);
    assert_eq!(house.blobs(mine).await.len(), 2);

    let third = trial("Third").await;
    wardrobe.confirm(mine, &third).await;
    assert_eq!(house.blobs(mine).await.len(), 2, "what was there is gone");
    house.put(mine, new(&bundle("mine", "Fourth"), Replace::Whichever)).await.unwrap();
    assert!(matches!(wardrobe.take_back(mine, &third).await, Err(WardrobeError::UnknownAvatar)), "another is there");
    assert_eq!(wardrobe.get(mine, "mine").await.unwrap().unwrap().title, "Fourth");

    wardrobe.remove(mine, "mine").await.unwrap();
    let alone = trial("Alone").await;
    wardrobe.take_back(mine, &alone).await.unwrap();
    assert!(wardrobe.get(mine, "mine").await.unwrap().is_none() && house.blobs(mine).await.is_empty());
}

#[tokio::test]
async fn gestures_come_with_jobs_alone() {
    let house = house();
    let mut lively = shipped("clapper").unwrap();
    lively.manifest.name = "mine".to_owned();
    let keys = [0, 300, 600].map(|at_ms| Key { at_ms, value: if at_ms == 300 { 0.1 } else { 0.0 } });
    let channels = vec![Channel { axis: Axis::Pitch, keys: keys.to_vec() }];
    lively.gestures = vec![Gesture { name: "nod".to_owned(), duration_ms: 600, hold_at_ms: None, channels }];
    let packed = lively.to_bytes().unwrap();
    let uploaded = house.put(account(1), new(&packed, Replace::Nothing)).await;
    assert!(matches!(&uploaded, Err(WardrobeError::Bundle(error)) if error.to_string().contains("gestures")));
    let made = NewAvatar { job: Some(JobId(Uuid::from_u128(1))), ..new(&packed, Replace::Nothing) };
    assert_eq!(house.put(account(1), made).await.unwrap().gestures, ["nod"]);
}

#[tokio::test]
async fn what_is_no_bundle_reserved_or_too_much_is_refused_and_leaves_nothing() {
    let house = house();
    let mine = account(1);
    assert!(matches!(house.put(mine, new(b"PK no", Replace::Nothing)).await, Err(WardrobeError::Bundle(_))));
    let shipped = new(&bundle("ada", "Mine"), Replace::Whichever);
    assert!(matches!(house.put(mine, shipped).await, Err(WardrobeError::Reserved { .. })));
    assert!(house.blobs(mine).await.is_empty());
    // All at once: none slips in between.
    let puts =
        ["one", "two", "three", "four"].map(|name| house.put(mine, new(&bundle(name, name), Replace::Whichever)));
    let [a, b, c, d] = puts;
    let (a, b, c, d) = tokio::join!(a, b, c, d);
    let put = [a, b, c, d];
    assert_eq!(put.iter().filter(|put| put.is_ok()).count(), 2);
    assert!(
        put.iter().flat_map(|put| put.as_ref().err()).all(|e| matches!(e, WardrobeError::TooMany { limit: 2, .. }))
    );
    assert_eq!(house.wardrobe.list(mine).await.unwrap().len(), 2);
    for odd in ["", "../one", "One", &"x".repeat(200)] {
        assert!(house.wardrobe.open(mine, odd).await.unwrap().is_none(), "{odd}");
    }

    let bytes_max = bundle("one", "one").len() as u64;
    let narrow = house_with(WardrobeOptions { bytes_max, ..WardrobeOptions::default() });
    let refused = narrow.put(mine, new(&bundle("one", "one"), Replace::Nothing)).await;
    assert!(matches!(refused, Err(WardrobeError::NoRoom { .. })), "its preview is over it: {refused:?}");
    assert!(narrow.wardrobe.put_picture(mine, [PNG, &vec![0; bytes_max as usize]].concat()).await.is_err());
    assert!(narrow.blobs(mine).await.is_empty());
}

#[tokio::test]
async fn what_a_crash_left_is_swept_but_nothing_that_is_named_or_being_written() {
    let house = house();
    let mine = account(1);
    let kept = house.put(mine, new(&bundle("one", "one"), Replace::Nothing)).await.unwrap();
    house.put(mine, new(&bundle("two", "two"), Replace::Nothing)).await.unwrap();
    let orphan = crate::kept::bundle_blob(Uuid::from_u128(kept.edition.as_u128() ^ 1));
    house.store.put_blob(Owner::Account(mine), &orphan, vec![1]).await.unwrap();
    house.wardrobe.put_picture(mine, PNG.to_vec()).await.unwrap();
    assert!(house.blobs(mine).await.contains(&orphan), "it may be being written");
    house.clock.fetch_add(2 * HOUR_MS, Ordering::SeqCst);
    // The operator allows fewer than there are: those stay.
    let options = WardrobeOptions { avatars_max: 1, ..WardrobeOptions::default() };
    let later = House { wardrobe: wardrobe(&house.store, &house.clock, options), ..house };
    later.put(mine, new(&bundle("two", "changed"), Replace::Whichever)).await.unwrap();
    assert!(!later.blobs(mine).await.contains(&orphan));
    assert!(later.wardrobe.open(mine, "one").await.unwrap().is_some());
    assert_eq!(later.blobs(mine).await.len(), 5, "two bundles, two previews, a picture");
}

#[tokio::test]
async fn pictures_are_kept_for_a_while() {
    let house = house();
    let wardrobe = &house.wardrobe;
    let (mine, other) = (account(1), account(2));
    assert!(matches!(wardrobe.put_picture(mine, b"GIF89a".to_vec()).await, Err(WardrobeError::NoPicture)));
    let picture = wardrobe.put_picture(mine, PNG.to_vec()).await.unwrap();
    assert_eq!(picture.id.to_string().parse(), Ok(picture.id));
    assert_eq!(wardrobe.picture(mine, picture.id).await.unwrap(), PNG);
    assert!(matches!(wardrobe.picture(other, picture.id).await, Err(WardrobeError::UnknownPicture)));
    let second = wardrobe.put_picture(mine, b"\xff\xd8\xff\xe0".to_vec()).await.unwrap();
    assert_eq!(wardrobe.pictures(mine).await.unwrap(), [picture.clone(), second.clone()]);
    let third = wardrobe.put_picture(mine, PNG.to_vec()).await;
    assert!(matches!(third, Err(WardrobeError::TooMany { limit: 2, .. })), "{third:?}");
    wardrobe.remove_picture(mine, second.id).await.unwrap();
    assert!(matches!(wardrobe.remove_picture(mine, second.id).await, Err(WardrobeError::UnknownPicture)));

    house.clock.fetch_add(23 * HOUR_MS, Ordering::SeqCst);
    upkeep::round(&wardrobe.inner).await.unwrap();
    assert!(wardrobe.picture(mine, picture.id).await.is_ok());
    house.clock.fetch_add(HOUR_MS, Ordering::SeqCst);
    upkeep::round(&wardrobe.inner).await.unwrap();
    assert!(matches!(wardrobe.picture(mine, picture.id).await, Err(WardrobeError::UnknownPicture)));
    assert!(house.blobs(mine).await.is_empty());
}
