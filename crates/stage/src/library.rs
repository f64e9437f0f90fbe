//! What sessions share: avatars, idle loops, the face model, the sound of silence. Made once, kept.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use bytes::Bytes;
use footlight_avatar::bundle::parts::Part;
use footlight_avatar::bundle::{AvatarBundle, AvatarChoice, Catalogue, Gesture};
use footlight_avatar::face::FaceModel;
use footlight_media::{OpusSettings, RateControl, VideoSettings};
use footlight_render::{LoadedAvatar, Pose, life};
use parking_lot::Mutex;

use crate::idle::IdleLoop;
use crate::soundtrack;
use crate::voice::Voice;
use crate::{PerformanceSpec, RendererKind, StageError, StageOptions};

/// What a performance looks like: sessions of equal looks share a loop and exchange cameras.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Looks {
    avatar: AvatarChoice,
    fps: u32,
    width: u32,
    height: u32,
    background: Option<[u8; 3]>,
}

impl Looks {
    fn of(spec: &PerformanceSpec) -> Self {
        Self {
            avatar: spec.avatar.clone(),
            fps: spec.fps,
            width: spec.width,
            height: spec.height,
            background: spec.background,
        }
    }
}

/// Everything that pictures of some looks are made from.
pub(crate) struct Set {
    pub(crate) looks: Looks,
    /// `None` under the null renderer.
    pub(crate) avatar: Option<Arc<LoadedAvatar>>,
    pub(crate) video: VideoSettings,
    /// What it can be asked to do, under any renderer.
    pub(crate) gestures: Arc<[Arc<Gesture>]>,
}

impl Set {
    pub(crate) fn fps(&self) -> u32 {
        self.looks.fps
    }

    /// Whether its pictures are drawn from sound, too.
    pub(crate) fn hears(&self) -> bool {
        self.avatar.as_ref().is_some_and(|avatar| avatar.bundle().mouth_network.is_some())
    }

    /// What the face does by itself at a place in the idle loop.
    pub(crate) fn life(&self, place: u64) -> Pose {
        self.avatar.as_ref().map_or(Pose::NEUTRAL, |avatar| life::life_at_frame(avatar.seed(), place, self.fps()))
    }
}

/// A set with its idle loop.
pub(crate) struct Stand {
    pub(crate) set: Arc<Set>,
    pub(crate) idle: Arc<IdleLoop>,
}

/// The effort that Opus takes. At the default rate nothing beyond is heard in a voice, and 10 takes twice the time.
const OPUS_COMPLEXITY: u8 = 3;

/// What one stage's sessions share.
pub(crate) struct Library {
    renderer: RendererKind,
    video_qp: u8,
    pub(crate) sound: OpusSettings,
    pub(crate) silence: Bytes,
    pub(crate) face: Arc<FaceModel>,
    pub(crate) catalogue: Catalogue,
    avatars: Shelf<(AvatarChoice, Option<[u8; 3]>), LoadedAvatar>,
    stands: Shelf<Looks, Stand>,
    /// Accounts' own avatars and their stands have shelves of their own: what one account shows in many colours must not
    /// push out what all show.
    own_avatars: Shelf<(AvatarChoice, Option<[u8; 3]>), LoadedAvatar>,
    own_stands: Shelf<Looks, Stand>,
}

impl Library {
    pub(crate) fn new(options: &StageOptions, catalogue: Catalogue) -> Result<Self, StageError> {
        let sound = OpusSettings { bits_per_second: options.audio_kbps * 1000, complexity: OPUS_COMPLEXITY };
        Ok(Self {
            renderer: options.renderer,
            video_qp: options.video_qp,
            sound,
            silence: soundtrack::silence(sound)?,
            face: FaceModel::shipped()?,
            catalogue,
            avatars: Shelf::of(KEPT_MAX),
            stands: Shelf::of(KEPT_MAX),
            own_avatars: Shelf::of(OWN_KEPT_MAX),
            own_stands: Shelf::of(OWN_KEPT_MAX),
        })
    }

    /// The shared avatars that are loaded: who shows one of them starts sooner.
    pub(crate) fn loaded(&self) -> BTreeSet<String> {
        let slots = self.avatars.slots.lock();
        let is_made = |slot: &Slot<LoadedAvatar>| slot.try_lock().is_some_and(|made| made.is_some());
        slots.iter().filter(|(_, slot)| is_made(slot)).map(|((choice, _), _)| choice.name().to_owned()).collect()
    }

    /// An avatar before its own background or a plain colour, loaded at its first use.
    pub(crate) fn avatar(
        &self,
        choice: &AvatarChoice,
        background: Option<[u8; 3]>,
    ) -> Result<Arc<LoadedAvatar>, StageError> {
        let name = choice.name();
        if matches!(choice, AvatarChoice::Shared(name) if !self.catalogue.has(name)) {
            let known = self.catalogue.names().collect::<Vec<_>>().join(", ");
            // Names come from outside and are repeated in an answer: not at any length.
            return Err(StageError::UnknownAvatar { name: name.chars().take(64).collect(), known });
        }
        let shelf = if choice.edition().is_some() { &self.own_avatars } else { &self.avatars };
        shelf.get(&(choice.clone(), background), || {
            let mut bundle =
                choice.open(&self.catalogue).map_err(|source| StageError::Avatar { name: name.to_owned(), source })?;
            if let Some(colour) = background {
                paint_background(&mut bundle, colour);
            }
            Ok(LoadedAvatar::new(bundle)?)
        })
    }

    /// A voice for one performance, whose renderer may draw from sound, too; none under the null renderer, whose pictures no weights move.
    pub(crate) fn voice(&self, fps: u32, for_renderer: bool) -> Result<Option<Voice>, StageError> {
        match self.renderer {
            RendererKind::Essence => Voice::new(Arc::clone(&self.face), fps, for_renderer).map(Some),
            RendererKind::Null => Ok(None),
        }
    }

    /// What pictures of this spec are made from.
    pub(crate) fn set(&self, spec: &PerformanceSpec) -> Result<Arc<Set>, StageError> {
        let avatar = self.avatar(&spec.avatar, spec.background)?;
        let gestures = avatar.bundle().gestures.iter().cloned().map(Arc::new).collect();
        Ok(Arc::new(Set {
            gestures,
            looks: Looks::of(spec),
            avatar: (self.renderer == RendererKind::Essence).then_some(avatar),
            video: VideoSettings {
                width: spec.width,
                height: spec.height,
                fps: spec.fps,
                rate: RateControl::ConstantQp(self.video_qp),
            },
        }))
    }

    /// Everything for performances of this spec, made at its first use.
    pub(crate) fn stand(&self, spec: &PerformanceSpec) -> Result<Arc<Stand>, StageError> {
        spec.check()?;
        let shelf = if spec.avatar.edition().is_some() { &self.own_stands } else { &self.stands };
        shelf.get(&Looks::of(spec), || {
            let set = self.set(spec)?;
            let idle = Arc::new(IdleLoop::make(&set)?);
            Ok(Arc::new(Stand { set, idle }))
        })
    }
}

/// Puts a plain colour where the avatar's own background is.
fn paint_background(bundle: &mut AvatarBundle, [red, green, blue]: [u8; 3]) {
    for layer in bundle.layers.iter_mut().filter(|layer| layer.part == Part::Background) {
        layer.picture.image.pixels.fill([red, green, blue, 255]);
    }
}

/// How many things a shelf keeps that nobody uses: an idle loop is about a megabyte, and sizes and colours come from
/// outside.
const KEPT_MAX: usize = 64;
/// The same for accounts' own avatars, of which each may be several times as large.
const OWN_KEPT_MAX: usize = 8;

/// Things that are made once per key. Whoever asks for one that is being made waits for that one alone.
struct Shelf<K, V> {
    kept_max: usize,
    slots: Mutex<HashMap<K, Slot<V>>>,
}

type Slot<V> = Arc<Mutex<Option<Arc<V>>>>;

impl<K, V> Shelf<K, V> {
    fn of(kept_max: usize) -> Self {
        Self { kept_max, slots: Mutex::new(HashMap::new()) }
    }
}

impl<K: Hash + Eq + Clone, V> Shelf<K, V> {
    /// The thing of this key. What could not be made is tried anew at the next call.
    fn get(&self, key: &K, make: impl FnOnce() -> Result<Arc<V>, StageError>) -> Result<Arc<V>, StageError> {
        let slot = self.slot(key);
        let mut slot = slot.lock();
        if let Some(made) = &*slot {
            return Ok(Arc::clone(made));
        }
        let made = make()?;
        *slot = Some(Arc::clone(&made));
        Ok(made)
    }

    fn slot(&self, key: &K) -> Slot<V> {
        let mut slots = self.slots.lock();
        if slots.len() >= self.kept_max && !slots.contains_key(key) {
            slots.retain(|_, slot| is_used(slot));
        }
        Arc::clone(slots.entry(key.clone()).or_default())
    }
}

/// Whether the thing is being made, or held by anyone but the shelf.
fn is_used<V>(slot: &Slot<V>) -> bool {
    let making = Arc::strong_count(slot) > 1;
    making || slot.lock().as_ref().is_some_and(|made| Arc::strong_count(made) > 1)
}

#[cfg(test)]
mod tests {
    use footlight_render::{EssenceRenderer, Frame, Renderer};

    use super::*;

    #[test]
    fn a_plain_colour_takes_the_place_of_the_background() {
        let library = Library::new(&StageOptions::default(), Catalogue::default()).expect("what ships is whole");
        let corner = |background| {
            let avatar = library.avatar(&"ada".into(), Some(background)).expect("ada ships");
            let mut frame = Frame::black(128, 128);
            let mut renderer = EssenceRenderer::new(avatar, 128, 128).expect("the size is possible");
            renderer.render(&Pose::NEUTRAL, &mut frame).expect("the shipped avatar renders");
            frame.y()[0]
        };
        assert!(corner([255; 3]) > 230 && corner([0; 3]) < 20);
    }

    #[test]
    fn a_shelf_makes_each_thing_once_and_forgets_what_nobody_uses() {
        let shelf: Shelf<usize, usize> = Shelf::of(KEPT_MAX);
        let made = |key: usize| shelf.get(&key, || Ok(Arc::new(key))).expect("making cannot fail");
        let kept = made(0);
        assert!(Arc::ptr_eq(&kept, &made(0)));
        for key in 1..1_000 {
            made(key);
        }
        assert!(shelf.slots.lock().len() <= KEPT_MAX);
        assert!(Arc::ptr_eq(&kept, &made(0)), "what is in use stays");
    }

    #[test]
    fn what_could_not_be_made_is_tried_anew() {
        let shelf: Shelf<u8, u8> = Shelf::of(KEPT_MAX);
        assert!(shelf.get(&1, || Err(StageError::Closed)).is_err());
        assert_eq!(*shelf.get(&1, || Ok(Arc::new(7))).expect("making cannot fail"), 7);
    }
}
