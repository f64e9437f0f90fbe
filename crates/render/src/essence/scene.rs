//! Everything about an avatar that all frames of one size share.

use footlight_avatar::bundle::AvatarBundle;
use footlight_avatar::bundle::mel::MelWindow;
use footlight_avatar::bundle::parts::Part;
use parking_lot::Mutex;

use super::Area;
use super::bank::{Bench, Target};
use super::coverage::Extents;
use super::eyes::{EyeRoom, ScaledEye};
use super::layout::{Layout, Rect};
use super::motion::{CELL_HEIGHT, CELL_WIDTH, Motion, Offsets, REACH, Sum};
use super::mouth::{self, MouthRoom, ScaledMouth};
use super::network::ScaledNetwork;
use super::planes::{Planes, over};
use super::raster::{Beyond, Raster};
use super::warp::{self, Moving};
use crate::{Frame, Pose};

/// The moving rectangle is cut into blocks of 16 samples at chroma size too.
const RECT_STEP: (i32, i32) = (2 * CELL_WIDTH as i32, 2 * CELL_HEIGHT as i32);

/// The most rooms kept for later frames: more than a node has cores is never in use at once.
const ROOMS_MAX: usize = 64;

/// An avatar at one frame size.
#[derive(Debug)]
pub(super) struct Scene {
    /// The frame without what moves.
    plate: Frame,
    /// The rectangle of the frame in which anything moves.
    rect: Rect,
    margin: usize,
    motion: Motion,
    /// What moves, at rest.
    rest: Planes,
    luma_extents: Extents,
    chroma_extents: Extents,
    /// The mouth, and the hair before it.
    mouth: Option<(ScaledMouth, Option<Planes>)>,
    /// What draws the mouth instead while something is heard, and the hair before it.
    network: Option<(ScaledNetwork, Option<Planes>)>,
    /// Each eye, and the hair before it.
    eyes: Vec<(ScaledEye, Option<Planes>)>,
    /// Work space between frames: as many as threads have rendered at once, not one a session.
    rooms: Mutex<Vec<Room>>,
}

/// Work space for one frame.
#[derive(Debug, Default, Clone)]
struct Room {
    /// What moves, with the mouth and eyes of the frame: Y, U and V.
    planes: [Vec<u8>; 3],
    sum: Sum,
    offsets: Offsets,
    bench: Bench,
    mouth: MouthRoom,
    eye: EyeRoom,
}

impl Scene {
    pub(super) fn new(bundle: &AvatarBundle, width: u32, height: u32) -> Self {
        let stage = (bundle.manifest.width, bundle.manifest.height);
        let layout = Layout::fit(stage, (width, height));
        let layers = StageLayers::of(bundle);

        let mut rect = layout.rect([0, 0], [2, 2]);
        if let Some(moving) = moving_rect(bundle, &layout) {
            rect = moving;
        }
        let rect = rect.aligned(RECT_STEP.0, RECT_STEP.1);
        let margin = ((REACH * layout.scale).ceil() as usize + 2 * CELL_WIDTH).next_multiple_of(2);
        let texture = rect.grown(margin as i32);

        let eyes: Vec<ScaledEye> = bundle.eyes.iter().map(|eye| ScaledEye::new(eye, &layers.below, &layout)).collect();
        let mouth = bundle.mouth.as_ref().map(|mouth| ScaledMouth::new(mouth, &layers.below, &layout));

        let mut whole = layers.below;
        if let Some(mouth) = bundle.mouth.as_ref().and_then(mouth::at_rest) {
            whole.lay_over(&mouth);
        }
        let face = bundle.mouth_network.as_ref().map(|_| whole.clone());
        whole.lay_over(&layers.front);
        let rest = Planes::of_window(&whole, &layout, texture, Beyond::Clear);
        let front_over = |window: Rect| {
            let planes = Planes::of_window(&layers.front, &layout, window, Beyond::Clear);
            planes.a.iter().any(|&a| a > 0).then_some(planes)
        };
        let network = bundle.mouth_network.as_ref().zip(face).map(|(network, face)| {
            let mut stage = layers.background.clone();
            stage.lay_over(&layers.still);
            stage.lay_over(&whole);
            let network = ScaledNetwork::new(network, &stage, &face, &layout);
            let front = front_over(network.window);
            (network, front)
        });
        Self {
            plate: plate(&layers.still, &layers.background, &layout, width, height),
            rect,
            margin,
            motion: Motion::new(bundle.lattice.clone(), layout, rect),
            luma_extents: Extents::of(&rest.a, rest.width),
            chroma_extents: Extents::of(&rest.ac, rest.width / 2),
            mouth: mouth.map(|mouth| {
                let front = front_over(mouth.bank.window);
                (mouth, front)
            }),
            network,
            eyes: eyes
                .into_iter()
                .map(|eye| {
                    let front = front_over(eye.lids.window);
                    (eye, front)
                })
                .collect(),
            rest,
            rooms: Mutex::default(),
        }
    }

    pub(super) fn moving_area(&self) -> Area {
        let clip = |from: i32, length: usize, side: u32| {
            let end = (from + length as i32).clamp(0, side as i32);
            let start = from.clamp(0, end);
            (start as u32, (end - start) as u32)
        };
        let (x, width) = clip(self.rect.x, self.rect.width, self.plate.width());
        let (y, height) = clip(self.rect.y, self.rect.height, self.plate.height());
        Area { x, y, width, height }
    }

    /// Draws a pose over all of a frame of this scene's size.
    ///
    /// A mouth network, where there is one, draws the mouth for `mel`.
    ///
    /// # Errors
    /// What the mouth network says.
    pub(super) fn draw(&self, pose: &Pose, mel: Option<&MelWindow>, frame: &mut Frame) -> Result<(), String> {
        let mut room = self.rooms.lock().pop().unwrap_or_else(|| {
            let planes = [&self.rest.y, &self.rest.u, &self.rest.v].map(Clone::clone);
            Room { planes, ..Room::default() }
        });
        frame.data_mut().copy_from_slice(self.plate.data());
        match &self.network {
            None => self.draw_mouth(pose, &mut room),
            Some((network, front)) => {
                let [y, u, v] = &mut room.planes;
                match mel {
                    Some(mel) => network.draw(mel, self.targets(network.window, [y, u, v]))?,
                    None => network.rest(self.targets(network.window, [y, u, v])),
                }
                self.draw_front(front.as_ref(), network.window, &mut room.planes);
                if mel.is_none() {
                    self.draw_mouth(pose, &mut room);
                }
            }
        }
        self.draw_eyes(pose, &mut room);
        self.motion.solve(pose, &mut room.sum, &mut room.offsets);
        let moving = Moving {
            rect: self.rect,
            margin: self.margin,
            still: &self.rest,
            luma_extents: &self.luma_extents,
            chroma_extents: &self.chroma_extents,
            planes: [&room.planes[0], &room.planes[1], &room.planes[2]],
        };
        warp::draw(&moving, &room.offsets, frame);
        let mut rooms = self.rooms.lock();
        if rooms.len() < ROOMS_MAX {
            rooms.push(room);
        }
        Ok(())
    }

    fn draw_mouth(&self, pose: &Pose, room: &mut Room) {
        let Some((mouth, front)) = &self.mouth else { return };
        let [y, u, v] = &mut room.planes;
        mouth.draw(&pose.weights, &mut room.mouth, &mut room.bench, self.targets(mouth.bank.window, [y, u, v]));
        self.draw_front(front.as_ref(), mouth.bank.window, &mut room.planes);
    }

    fn draw_eyes(&self, pose: &Pose, room: &mut Room) {
        for (eye, front) in &self.eyes {
            let [y, u, v] = &mut room.planes;
            eye.draw(&pose.weights, &mut room.eye, &mut room.bench, self.targets(eye.lids.window, [y, u, v]));
            self.draw_front(front.as_ref(), eye.lids.window, &mut room.planes);
        }
    }

    /// Hair that hangs over a window that was drawn anew.
    fn draw_front(&self, front: Option<&Planes>, window: Rect, planes: &mut [Vec<u8>; 3]) {
        let Some(front) = front else { return };
        let [y, u, v] = planes;
        let [y, u, v] = self.targets(window, [y, u, v]);
        lay(y, &front.y, &front.a, front.width);
        lay(u, &front.u, &front.ac, front.width / 2);
        lay(v, &front.v, &front.ac, front.width / 2);
    }

    /// A window of the planes of what moves.
    fn targets<'a>(&self, window: Rect, [y, u, v]: [&'a mut Vec<u8>; 3]) -> [Target<'a>; 3] {
        let column = (window.x - self.rect.x + self.margin as i32) as usize;
        let row = (window.y - self.rect.y + self.margin as i32) as usize;
        let (stride, half) = (self.rest.width, self.rest.width / 2);
        let (luma, chroma) = (row * stride + column, row / 2 * half + column / 2);
        [
            Target { plane: y, stride, start: luma },
            Target { plane: u, stride: half, start: chroma },
            Target { plane: v, stride: half, start: chroma },
        ]
    }
}

fn lay(target: Target<'_>, colour: &[u8], alpha: &[u8], width: usize) {
    for (row, (colour, alpha)) in colour.chunks_exact(width).zip(alpha.chunks_exact(width)).enumerate() {
        let line = &mut target.plane[target.start + row * target.stride..][..width];
        for ((pixel, &c), &a) in line.iter_mut().zip(colour).zip(alpha) {
            *pixel = over(c, a, *pixel);
        }
    }
}

/// The layers at native size, put together by how they move.
struct StageLayers {
    background: Raster,
    /// What is still before the background.
    still: Raster,
    /// What moves, below eyes and mouth.
    below: Raster,
    /// What moves, above eyes and mouth.
    front: Raster,
}

impl StageLayers {
    fn of(bundle: &AvatarBundle) -> Self {
        let clear = || Raster::clear([0; 2], bundle.manifest.width as usize, bundle.manifest.height as usize);
        let mut layers = Self { background: clear(), still: clear(), below: clear(), front: clear() };
        for layer in &bundle.layers {
            let raster = Raster::of_picture(&layer.picture);
            match layer.part {
                Part::Background => layers.background = raster,
                Part::Torso => layers.still.lay_over(&raster),
                Part::HairBack | Part::Head => layers.below.lay_over(&raster),
                Part::HairFront => layers.front.lay_over(&raster),
            }
        }
        layers
    }
}

/// The rectangle that holds all that moves: the lattice, and windows beyond it.
fn moving_rect(bundle: &AvatarBundle, layout: &Layout) -> Option<Rect> {
    let lattice = bundle.lattice.as_ref().map(|lattice| {
        let side = |points: usize| (points as u32 - 1) * lattice.step;
        layout.rect(lattice.at, [side(lattice.columns), side(lattice.rows)])
    });
    let mouth = bundle.mouth.iter().map(|mouth| &mouth.bank);
    let banks = mouth.chain(bundle.eyes.iter().map(|eye| &eye.lids.bank));
    let windows = banks.map(|bank| (bank.at, bank.size));
    let network = bundle.mouth_network.iter().map(|network| {
        let [x, y, side] = network.face.map(u32::cast_signed);
        ([x, y], [side.cast_unsigned(); 2])
    });
    let windows = windows.chain(network).map(|(at, size)| layout.rect(at, size).aligned(2, 2));
    lattice.into_iter().chain(windows).reduce(Rect::around)
}

/// The frame without what moves.
fn plate(still: &Raster, background: &Raster, layout: &Layout, width: u32, height: u32) -> Frame {
    let all = Rect { x: 0, y: 0, width: width as usize, height: height as usize };
    let mut picture = background.scaled(layout, all, Beyond::Edge);
    picture.lay_over(&still.scaled(layout, all, Beyond::Clear));
    // Gaps in a background would show as black.
    for pixel in &mut picture.pixels {
        pixel[3] = 1.0;
    }
    let planes = Planes::of(&picture);
    let mut frame = Frame::black(width, height);
    let [y, u, v] = frame.planes_mut();
    y.copy_from_slice(&planes.y);
    u.copy_from_slice(&planes.u);
    v.copy_from_slice(&planes.v);
    frame
}
