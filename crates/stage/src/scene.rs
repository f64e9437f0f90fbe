//! Where a performance's pictures come from: the shared idle loop, a camera of its own, or a frozen picture.

mod camera;
mod gesturing;

use std::sync::Arc;

use bytes::Bytes;
use footlight_avatar::Weights;
use footlight_avatar::bundle::Gesture;
use footlight_media::EncodedVideo;
use footlight_render::gesture::{Mouth, lay_over};
use footlight_render::{Pose, life};

pub(crate) use self::camera::{Camera, CameraPool, Canvases};
use self::gesturing::Gesturing;
use crate::StageError;
use crate::blend::Blend;
use crate::idle::{begins_group, next_group};
use crate::library::Stand;
use crate::stats::WorkerStats;

/// From rest into speech. Short: the first sound needs its own mouth.
pub(crate) const INTO_SPEECH_MS: u32 = 80;
/// From speech to rest.
const INTO_REST_MS: u32 = 250;

/// One performance's pictures.
pub(crate) struct Scene {
    stand: Arc<Stand>,
    /// The place in the idle loop, also while the camera runs: the head moves as it does in the loop, so that either can
    /// follow the other. Stands still while the picture does.
    place: u64,
    source: Source,
    gesturing: Gesturing,
}

enum Source {
    /// The shared loop's units, as they are.
    Loop,
    /// The camera of this performance.
    Live(Box<Live>),
    /// The last picture, for as long as it takes.
    Frozen(Bytes),
}

struct Live {
    camera: Camera,
    speaking: bool,
    blend: Blend,
    /// What was shown last.
    shown: Pose,
    /// The next picture must be an IDR: the camera is new here, or its last picture was not handed out.
    broken: bool,
}

/// What a scene needs from its worker.
pub(crate) struct Props<'a> {
    pub(crate) cameras: &'a mut CameraPool,
    pub(crate) stats: &'a WorkerStats,
}

impl Scene {
    pub(crate) fn new(stand: Arc<Stand>) -> Self {
        let gesturing = Gesturing::new(stand.set.fps());
        Self { stand, place: 0, source: Source::Loop, gesturing }
    }

    /// Begins a gesture with the next picture. One that plays makes way.
    pub(crate) fn begin_gesture(&mut self, gesture: Arc<Gesture>) {
        self.gesturing.begin(gesture);
    }

    /// Lets a pose that is held go on to its end.
    pub(crate) fn release_gesture(&mut self) {
        self.gesturing.release();
    }

    /// The gesture that the last picture began, once.
    pub(crate) fn take_begun_gesture(&mut self) -> Option<Arc<Gesture>> {
        self.gesturing.take_begun()
    }

    /// Whether an IDR can be made now, rather than when the loop comes to one.
    pub(crate) fn can_force_idr(&self) -> bool {
        !matches!(self.source, Source::Loop)
    }

    /// Whether [`speak`](Self::speak) makes use of sound.
    pub(crate) fn hears(&self) -> bool {
        self.stand.set.hears()
    }

    /// The next picture of speech. `sound` is what the renderer hears before it, 16 kHz, where it [`hears`](Self::hears).
    pub(crate) fn speak(
        &mut self,
        weights: &Weights,
        sound: &[f32],
        force_idr: bool,
        props: &mut Props<'_>,
    ) -> Result<EncodedVideo, StageError> {
        let begins = !matches!(&self.source, Source::Live(live) if live.speaking);
        if begins {
            // A pose of listening ends where speech begins.
            self.gesturing.release();
        }
        let spoken = life::compose(&self.life(), weights);
        let target = self.gesturing.next().map_or(spoken, |offset| lay_over(&spoken, &offset, Mouth::Speaking));
        let fps = self.stand.set.fps();
        let live = self.go_live(props)?;
        if begins {
            live.speaking = true;
            live.blend = Blend::from(live.shown, INTO_SPEECH_MS, fps);
        }
        live.camera.hear(sound);
        let picture = live.shoot(&target, force_idr, props)?;
        self.place += 1;
        Ok(picture)
    }

    /// The next picture of rest: the camera settles, then the loop takes over at its next group. While a gesture plays the
    /// camera stays.
    pub(crate) fn rest(&mut self, force_idr: bool, props: &mut Props<'_>) -> Result<EncodedVideo, StageError> {
        let offset = self.gesturing.next();
        let settled = match &self.source {
            _ if offset.is_some() => false,
            Source::Loop => true,
            Source::Live(live) => !live.speaking && live.blend.is_over() && begins_group(self.place),
            Source::Frozen(_) => begins_group(self.place),
        };
        let picture = if settled {
            self.strike(props);
            self.stand.idle.unit(self.place).clone()
        } else {
            let life = self.life();
            let target = offset.map_or(life, |offset| lay_over(&life, &offset, Mouth::Free));
            let fps = self.stand.set.fps();
            let live = self.go_live(props)?;
            if live.speaking {
                live.speaking = false;
                live.blend = Blend::from(live.shown, INTO_REST_MS, fps);
            }
            live.shoot(&target, force_idr, props)?
        };
        self.place += 1;
        Ok(picture)
    }

    /// Comes to a stop with one closed-mouth IDR, and gives that again when `force_idr` asks for it. Out of the loop this
    /// waits for a group to begin. `None` while nothing moves. Gestures are over.
    pub(crate) fn freeze(
        &mut self,
        force_idr: bool,
        props: &mut Props<'_>,
    ) -> Result<Option<EncodedVideo>, StageError> {
        self.gesturing.drop_all();
        let picture = match &mut self.source {
            Source::Frozen(data) => {
                return Ok(force_idr.then(|| EncodedVideo { data: data.clone(), idr: true }));
            }
            Source::Loop if begins_group(self.place) => self.stand.idle.unit(self.place).clone(),
            Source::Loop => return self.rest(false, props).map(Some),
            Source::Live(live) => {
                let pose = self.stand.set.life(self.place);
                live.blend = Blend::NONE;
                live.shoot(&pose, true, props)?
            }
        };
        self.strike(props);
        self.source = Source::Frozen(picture.data.clone());
        Ok(Some(picture))
    }

    /// The last picture was not handed out: what predicts from it cannot be shown.
    pub(crate) fn not_shown(&mut self) {
        if let Source::Live(live) = &mut self.source {
            live.broken = true;
        }
    }

    /// Nobody watches: everything goes back, gestures are over, and the next watcher begins at a group.
    pub(crate) fn leave(&mut self, props: &mut Props<'_>) {
        self.gesturing.drop_all();
        self.strike(props);
        self.place = next_group(self.place);
    }

    fn life(&self) -> Pose {
        self.stand.set.life(self.place)
    }

    /// Back to the loop.
    fn strike(&mut self, props: &mut Props<'_>) {
        if let Source::Live(live) = std::mem::replace(&mut self.source, Source::Loop) {
            props.cameras.give_back(&self.stand.set.looks, live.camera);
        }
    }

    /// Takes a camera, if there is none, that begins where the loop or the frozen picture is.
    fn go_live(&mut self, props: &mut Props<'_>) -> Result<&mut Live, StageError> {
        if !matches!(self.source, Source::Live(_)) {
            let shown = self.stand.set.life(self.place.saturating_sub(1));
            let camera = props.cameras.take(&self.stand.set)?;
            self.source =
                Source::Live(Box::new(Live { camera, speaking: false, blend: Blend::NONE, shown, broken: true }));
        }
        match &mut self.source {
            Source::Live(live) => Ok(live),
            Source::Loop | Source::Frozen(_) => unreachable!("the source was made live above"),
        }
    }
}

impl Live {
    fn shoot(&mut self, target: &Pose, force_idr: bool, props: &mut Props<'_>) -> Result<EncodedVideo, StageError> {
        let pose = self.blend.apply(target);
        let shot = self.camera.shoot(&pose, force_idr || self.broken, &mut props.cameras.canvases)?;
        props.stats.render.record(shot.render);
        props.stats.h264.record(shot.encode);
        self.broken = false;
        self.shown = pose;
        Ok(shot.picture)
    }
}
