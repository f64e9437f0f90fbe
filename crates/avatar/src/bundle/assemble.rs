//! From an unpacked archive to checked parts.

use super::archive::{Archive, BundleLimits};
use super::error::BundleError;
use super::manifest::{Document, EyeEntry, LatticeEntry, LayerEntry, LidsEntry, MouthEntry, PictureEntry};
use super::parts::{Axis, Bank, Eye, Field, Image, Lattice, Layer, Lids, Mouth, MouthNetwork, Part, Patch, Picture};
use super::{AvatarBundle, FORMAT, MANIFEST, Manifest, MouthModel, image, tracks};

const NAME_CHARS_MAX: usize = 40;
const TITLE_CHARS_MAX: usize = 80;
const STAGE_SIDE: std::ops::RangeInclusive<u32> = 64..=2048;
/// Pictures may start this far off the stage: wide backgrounds do.
const OFF_STAGE_MAX: i32 = 4096;
const LAYERS_MAX: usize = 8;
const LATTICE_SIDE: std::ops::RangeInclusive<u32> = 2..=128;
/// How far a lattice may reach beyond the stage, in pixels.
const LATTICE_BEYOND: i64 = 128;
/// Pictures of a mouth beside its grid.
const MOUTH_SHAPES: usize = 3;
const LATTICE_STEP: std::ops::RangeInclusive<u32> = 4..=128;
const FIELDS_MAX: usize = 64;
const MESH_SIDE: std::ops::RangeInclusive<u32> = 2..=64;
const BANK_SIDE: std::ops::RangeInclusive<u32> = 4..=1024;
const BANK_PATCHES_MAX: usize = 64;
const TRAVEL_MAX: f32 = 64.0;

/// Numbers are 16-bit fixed point with this many steps a pixel.
pub(super) const FRACTION: f32 = 64.0;

/// Puts a bundle together.
pub(super) fn assemble(archive: &Archive, limits: &BundleLimits) -> Result<AvatarBundle, BundleError> {
    let document: Document =
        serde_json::from_slice(archive.entry(MANIFEST)?).map_err(|error| bad(error.to_string()))?;
    let mut shelf = Shelf { archive, limits, pixels: 0 };
    let manifest = header(&document)?;
    fits(&document, limits)?;
    let network = document.mouth_network.as_ref();
    check(network.is_none() || limits.may_have_network, "mouth_network is not taken here; leave it out")?;
    let may_gesture = limits.may_have_gestures || document.gestures.is_empty();
    check(may_gesture, "gestures are not taken here: leave them out, and have them added by a job")?;
    Ok(AvatarBundle {
        layers: layers(&mut shelf, &document.layers)?,
        lattice: document.lattice.as_ref().map(|entry| lattice(&shelf, entry)).transpose()?,
        eyes: eyes(&mut shelf, &document.eyes, &manifest)?,
        mouth: document.mouth.as_ref().map(|entry| mouth(&mut shelf, entry, &manifest)).transpose()?,
        mouth_network: network
            .map(|entry| {
                let [x, y, side] = entry.face;
                let reach =
                    |from: u32| from.checked_add(side).is_some_and(|end| end <= manifest.width.min(manifest.height));
                check(side >= 32 && reach(x) && reach(y), "mouth_network.face must be a square inside the stage")?;
                let model = MouthModel::from_onnx(shelf.archive.entry(&entry.onnx)?)
                    .map_err(|fault| BundleError::entry(&entry.onnx, fault))?;
                Ok(MouthNetwork { model, face: entry.face })
            })
            .transpose()?,
        gestures: tracks::read(&document.gestures)?,
        manifest,
    })
}

/// Checks what a bundle costs those who show it.
fn fits(document: &Document, limits: &BundleLimits) -> Result<(), BundleError> {
    let (width, height) = (u64::from(document.width), u64::from(document.height));
    let least = limits.stage_side_min;
    let large_enough = document.width >= least && document.height >= least;
    check(large_enough, &format!("width and height must be at least {least} here"))?;
    let milli = |pixels: u64| pixels.saturating_mul(1_000) / (width * height).max(1);
    let area = |size: [u32; 2]| u64::from(size[0]) * u64::from(size[1]);
    let eyes = document.eyes.iter().map(|eye| (area(eye.lids.size), eye.lids.images.len()));
    let mouth = document.mouth.iter().map(|mouth| (area(mouth.size), mouth.grid.len() + MOUTH_SHAPES));
    let (mut windows, mut pictures) = (0_u64, 0_u64);
    for (area, count) in eyes.chain(mouth) {
        windows = windows.saturating_add(area);
        pictures = pictures.saturating_add(area.saturating_mul(count as u64));
    }
    let (windows_max, pictures_max) = (limits.windows_milli_max, limits.banks_milli_max);
    check(milli(windows) <= windows_max, &format!("eyes and mouth may take {} % of the stage here", windows_max / 10))?;
    check(
        milli(pictures) <= pictures_max,
        &format!("all pictures of eyes and mouth together may be {} times the stage here", pictures_max / 1_000),
    )?;
    let Some(lattice) = &document.lattice else { return Ok(()) };
    let points = u64::from(lattice.columns) * u64::from(lattice.rows);
    let numbers = points.saturating_mul(2 * lattice.shapes.len() as u64);
    let most = limits.lattice_numbers_max;
    check(numbers <= most, &format!("the lattice may have {most} numbers here; it has {numbers}"))?;
    // All of it is kept as pixels, at the size of the frame.
    let spans = |at: i32, points: u32, side: u32| {
        let end =
            i64::from(at).saturating_add(i64::from(points.saturating_sub(1)).saturating_mul(i64::from(lattice.step)));
        i64::from(at) >= -LATTICE_BEYOND && end <= i64::from(side) + LATTICE_BEYOND
    };
    let near =
        spans(lattice.at[0], lattice.columns, document.width) && spans(lattice.at[1], lattice.rows, document.height);
    check(near, "the lattice must lie on the stage, or at most 128 pixels beyond")
}

/// The archive while it is taken apart; counts pixels over all images.
struct Shelf<'a> {
    archive: &'a Archive,
    limits: &'a BundleLimits,
    pixels: u64,
}

impl Shelf<'_> {
    fn image(&mut self, name: &str) -> Result<Image, BundleError> {
        let left = self.limits.total_pixels_max - self.pixels;
        let most = self.limits.image_pixels_max.min(left);
        let image = image::decode(self.archive.entry(name)?, most).map_err(|fault| BundleError::entry(name, fault))?;
        self.pixels += image.pixels.len() as u64;
        Ok(image)
    }

    fn image_of_size(&mut self, name: &str, size: [u32; 2]) -> Result<Image, BundleError> {
        let image = self.image(name)?;
        if [image.width, image.height] != size {
            let found = format!("is {}x{}, should be {}x{}", image.width, image.height, size[0], size[1]);
            return Err(BundleError::invalid(name, found));
        }
        Ok(image)
    }

    fn picture(&mut self, entry: &PictureEntry) -> Result<Picture, BundleError> {
        check_place(entry.at)?;
        Ok(Picture { at: entry.at, image: self.image(&entry.image)? })
    }

    /// Exactly `count` fixed-point numbers, in pixels.
    fn numbers(&self, name: &str, count: usize) -> Result<Vec<f32>, BundleError> {
        let bytes = self.archive.entry(name)?;
        if bytes.len() != count * 2 {
            return Err(BundleError::invalid(name, format!("has {} bytes, should have {}", bytes.len(), count * 2)));
        }
        Ok(bytes.chunks_exact(2).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / FRACTION).collect())
    }
}

fn bad(what: impl Into<String>) -> BundleError {
    BundleError::invalid(MANIFEST, what)
}

fn check(holds: bool, what: &str) -> Result<(), BundleError> {
    if holds { Ok(()) } else { Err(bad(what)) }
}

fn check_place(at: [i32; 2]) -> Result<(), BundleError> {
    let near = |v: i32| (-OFF_STAGE_MAX..=OFF_STAGE_MAX).contains(&v);
    check(near(at[0]) && near(at[1]), "a picture lies too far off the stage")
}

fn header(document: &Document) -> Result<Manifest, BundleError> {
    if document.format != FORMAT {
        return Err(bad(format!("format {} is not known; this build reads format {FORMAT}", document.format)));
    }
    let name = &document.name;
    let name_fits = !name.is_empty()
        && name.len() <= NAME_CHARS_MAX
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    check(name_fits, "name must be 1 to 40 lower-case letters, digits or hyphens")?;
    for text in [&document.title, &document.licence] {
        let fits = text.chars().count() <= TITLE_CHARS_MAX && !text.chars().any(char::is_control);
        check(fits, "title and licence must be at most 80 characters without control characters")?;
    }
    let sides_fit = STAGE_SIDE.contains(&document.width) && STAGE_SIDE.contains(&document.height);
    check(sides_fit, "width and height must be from 64 to 2048")?;
    Ok(Manifest {
        name: document.name.clone(),
        title: document.title.clone(),
        licence: document.licence.clone(),
        width: document.width,
        height: document.height,
        seed: document.seed,
        landmarks: document.landmarks.clone(),
    })
}

fn layers(shelf: &mut Shelf<'_>, entries: &[LayerEntry]) -> Result<Vec<Layer>, BundleError> {
    check(entries.len() <= LAYERS_MAX, "there are too many layers")?;
    check(entries.first().is_some_and(|layer| layer.part == Part::Background), "the first layer must be a background")?;
    let ordered = entries.windows(2).all(|pair| pair[0].part < pair[1].part);
    check(ordered, "layers must come in the order background, torso, hair_back, head, hair_front, each at most once")?;
    let mut layers = Vec::with_capacity(entries.len());
    for entry in entries {
        check_place(entry.at)?;
        let image = shelf.image(&entry.image)?;
        let size = [image.width, image.height];
        let depth = entry.depth.as_ref().map(|name| shelf.image_of_size(name, size)).transpose()?;
        layers.push(Layer { part: entry.part, picture: Picture { at: entry.at, image }, depth });
    }
    Ok(layers)
}

fn lattice(shelf: &Shelf<'_>, entry: &LatticeEntry) -> Result<Lattice, BundleError> {
    check_place(entry.at)?;
    let sides_fit = LATTICE_SIDE.contains(&entry.columns) && LATTICE_SIDE.contains(&entry.rows);
    check(
        sides_fit && LATTICE_STEP.contains(&entry.step),
        "lattice must have 2 to 128 columns and rows, 4 to 128 pixels apart",
    )?;
    check(entry.shapes.len() <= FIELDS_MAX, "lattice has too many shapes")?;
    let (columns, rows) = (entry.columns as usize, entry.rows as usize);
    let numbers = shelf.numbers(&entry.numbers, entry.shapes.len() * columns * rows * 2)?;
    let mut fields: Vec<Field> = Vec::with_capacity(entry.shapes.len());
    for (shape, offsets) in entry.shapes.iter().zip(numbers.chunks_exact(columns * rows * 2)) {
        let axis = axis(shape)?;
        check(fields.iter().all(|field| field.axis != axis), "lattice names a shape twice")?;
        fields.push(Field { axis, offsets: offsets.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect() });
    }
    Ok(Lattice { at: entry.at, step: entry.step, columns, rows, fields })
}

fn axis(shape: &str) -> Result<Axis, BundleError> {
    Axis::named(shape).ok_or_else(|| {
        let shape = super::error::printable(shape);
        bad(format!("lattice shape `{shape}` is neither an ARKit blendshape nor a head axis"))
    })
}

fn eyes(shelf: &mut Shelf<'_>, entries: &[EyeEntry], manifest: &Manifest) -> Result<Vec<Eye>, BundleError> {
    check(entries.len() <= 2, "there are more than two eyes")?;
    let distinct = entries.windows(2).all(|pair| pair[0].side != pair[1].side);
    check(distinct, "both eyes are on the same side")?;
    entries
        .iter()
        .map(|entry| {
            check(
                entry.travel.iter().all(|t| (0.0..=TRAVEL_MAX).contains(t)),
                "eye travel must be from 0 to 64 pixels",
            )?;
            Ok(Eye {
                side: entry.side,
                ball: shelf.picture(&entry.ball)?,
                iris: shelf.picture(&entry.iris)?,
                travel: entry.travel,
                lids: lids(shelf, &entry.lids, manifest)?,
            })
        })
        .collect()
}

fn lids(shelf: &mut Shelf<'_>, entry: &LidsEntry, manifest: &Manifest) -> Result<Lids, BundleError> {
    check(ascending(&entry.closures), "lid closures must ascend")?;
    check(entry.closures.len() == entry.images.len(), "lids need one image for each closure")?;
    let names: Vec<&str> = entry.images.iter().map(String::as_str).collect();
    let mesh = Mesh { name: &entry.mesh, columns: entry.columns, rows: entry.rows };
    let bank = bank(shelf, entry.at, entry.size, &names, &mesh, manifest)?;
    Ok(Lids { bank, closures: entry.closures.clone() })
}

fn mouth(shelf: &mut Shelf<'_>, entry: &MouthEntry, manifest: &Manifest) -> Result<Mouth, BundleError> {
    check(ascending(&entry.gaps) && ascending(&entry.widths), "mouth gaps and widths must ascend")?;
    let grid = entry.gaps.len() * entry.widths.len();
    check(entry.grid.len() == grid, "mouth grid needs one image for each gap and width")?;
    let mut names: Vec<&str> = entry.grid.iter().map(String::as_str).collect();
    let [pressed, bite, tongue] = [&entry.pressed, &entry.bite, &entry.tongue].map(|shape| {
        let name = shape.as_deref()?;
        names.push(name);
        Some(names.len() - 1)
    });
    let mesh = Mesh { name: &entry.mesh, columns: entry.columns, rows: entry.rows };
    let bank = bank(shelf, entry.at, entry.size, &names, &mesh, manifest)?;
    for (patch, name) in bank.patches.iter().zip(&names) {
        if patch.image.pixels.iter().any(|pixel| pixel[3] != u8::MAX) {
            return Err(BundleError::invalid(name, "a mouth must be solid; say with the mask where it ends"));
        }
    }
    let mask = entry.mask.as_ref().map(|name| shelf.image_of_size(name, entry.size)).transpose()?;
    Ok(Mouth { bank, mask, gaps: entry.gaps.clone(), widths: entry.widths.clone(), pressed, bite, tongue })
}

fn ascending(values: &[f32]) -> bool {
    !values.is_empty() && values.iter().all(|v| v.is_finite()) && values.windows(2).all(|pair| pair[0] < pair[1])
}

struct Mesh<'a> {
    name: &'a str,
    columns: u32,
    rows: u32,
}

fn bank(
    shelf: &mut Shelf<'_>,
    at: [i32; 2],
    size: [u32; 2],
    names: &[&str],
    mesh: &Mesh<'_>,
    manifest: &Manifest,
) -> Result<Bank, BundleError> {
    let inside = |from: i32, side: u32, stage: u32| {
        BANK_SIDE.contains(&side) && from >= 0 && i64::from(from) + i64::from(side) <= i64::from(stage)
    };
    let fits = inside(at[0], size[0], manifest.width) && inside(at[1], size[1], manifest.height);
    check(fits, "a bank's window must lie on the stage, 4 to 1024 pixels a side")?;
    check(
        MESH_SIDE.contains(&mesh.columns) && MESH_SIDE.contains(&mesh.rows),
        "a mesh must have 2 to 64 columns and rows",
    )?;
    check(names.len() <= BANK_PATCHES_MAX, "a bank has too many images")?;

    let (columns, rows) = (mesh.columns as usize, mesh.rows as usize);
    let numbers = shelf.numbers(mesh.name, names.len() * (rows + 1) * columns)?;
    let mut patches = Vec::with_capacity(names.len());
    for (name, mesh_numbers) in names.iter().zip(numbers.chunks_exact((rows + 1) * columns)) {
        let (xs, ys) = mesh_numbers.split_at(columns);
        if !(spans(xs.iter().copied(), size[0])
            && (0..columns).all(|c| spans(ys.iter().skip(c).step_by(columns).copied(), size[1])))
        {
            return Err(BundleError::invalid(mesh.name, "mesh must go from edge to edge without folding back"));
        }
        patches.push(Patch { image: shelf.image_of_size(name, size)?, columns: xs.to_vec(), rows: ys.to_vec() });
    }
    Ok(Bank { at, size, patches })
}

/// Whether places ascend from 0 to the far edge.
fn spans(mut places: impl Iterator<Item = f32>, side: u32) -> bool {
    const SLACK: f32 = 1.0 / FRACTION;
    let Some(first) = places.next() else { return false };
    let mut last = first;
    for place in places {
        if place < last {
            return false;
        }
        last = place;
    }
    first.abs() <= SLACK && (last - side as f32).abs() <= SLACK
}
