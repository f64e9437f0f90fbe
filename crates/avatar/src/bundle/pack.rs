//! From a bundle's parts back to an archive.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::assemble::FRACTION;
use super::error::BundleError;
use super::manifest::{
    Document, EyeEntry, LatticeEntry, LayerEntry, LidsEntry, MouthEntry, MouthNetworkEntry, Part, PictureEntry, Side,
};
use super::parts::{Axis, Bank, Eye, Image, Lattice, Layer, Mouth, Patch, Picture};
use super::{AvatarBundle, FORMAT, MANIFEST, image, tracks};
use crate::weights::BLENDSHAPE_COUNT;

/// Packs a bundle.
pub(super) fn pack(bundle: &AvatarBundle) -> Result<Vec<u8>, BundleError> {
    // Field by field, so that a part that is added to bundles cannot be forgotten here.
    let AvatarBundle { manifest, layers, lattice, eyes, mouth, mouth_network, gestures } = bundle;
    let mut parcel = Parcel::default();
    let document = Document {
        format: FORMAT,
        name: manifest.name.clone(),
        title: manifest.title.clone(),
        licence: manifest.licence.clone(),
        width: manifest.width,
        height: manifest.height,
        seed: manifest.seed,
        landmarks: manifest.landmarks.clone(),
        layers: layers.iter().map(|layer| parcel.layer(layer)).collect::<Result<_, _>>()?,
        lattice: lattice.as_ref().map(|lattice| parcel.lattice(lattice)).transpose()?,
        eyes: eyes.iter().map(|eye| parcel.eye(eye)).collect::<Result<_, _>>()?,
        mouth: mouth.as_ref().map(|mouth| parcel.mouth(mouth)).transpose()?,
        mouth_network: mouth_network
            .as_ref()
            .map(|network| {
                let onnx = parcel.add("mouth.onnx".to_owned(), network.model.onnx().to_vec())?;
                Ok(MouthNetworkEntry { onnx, face: network.face })
            })
            .transpose()?,
        gestures: gestures.iter().map(tracks::write).collect::<Result<_, _>>()?,
    };
    let text = serde_json::to_vec_pretty(&document).map_err(|error| unpackable(error.to_string()))?;
    parcel.close(&text)
}

pub(super) fn unpackable(what: impl Into<String>) -> BundleError {
    BundleError::Unpackable(what.into())
}

/// The entries while they are packed, by name.
#[derive(Default)]
struct Parcel {
    entries: BTreeMap<String, Vec<u8>>,
}

impl Parcel {
    fn add(&mut self, name: String, content: Vec<u8>) -> Result<String, BundleError> {
        match self.entries.insert(name.clone(), content) {
            None => Ok(name),
            Some(_) => Err(unpackable(format!("it has two of {name}"))),
        }
    }

    fn image(&mut self, name: String, picture: &Image) -> Result<String, BundleError> {
        let content = image::encode(picture).map_err(|fault| unpackable(format!("{name} {fault}")))?;
        self.add(name, content)
    }

    fn picture(&mut self, name: String, picture: &Picture) -> Result<PictureEntry, BundleError> {
        Ok(PictureEntry { image: self.image(name, &picture.image)?, at: picture.at })
    }

    fn numbers(&mut self, name: String, values: impl Iterator<Item = f32>) -> Result<String, BundleError> {
        let mut content = Vec::new();
        for value in values {
            let steps = (value * FRACTION).round();
            if !(f32::from(i16::MIN)..=f32::from(i16::MAX)).contains(&steps) {
                return Err(unpackable(format!("{name} would hold {value}, which is no place within 511 pixels")));
            }
            content.extend((steps as i16).to_le_bytes());
        }
        self.add(name, content)
    }

    fn layer(&mut self, layer: &Layer) -> Result<LayerEntry, BundleError> {
        let name = match layer.part {
            Part::Background => "background",
            Part::Torso => "torso",
            Part::HairBack => "hair_back",
            Part::Head => "head",
            Part::HairFront => "hair_front",
        };
        let depth = layer.depth.as_ref().map(|depth| self.image(format!("{name}_depth.png"), depth)).transpose()?;
        let image = self.image(format!("{name}.png"), &layer.picture.image)?;
        Ok(LayerEntry { part: layer.part, image, at: layer.picture.at, depth })
    }

    fn lattice(&mut self, lattice: &Lattice) -> Result<LatticeEntry, BundleError> {
        let points = lattice.columns * lattice.rows;
        if lattice.fields.iter().any(|field| field.offsets.len() != points) {
            return Err(unpackable(format!("a lattice field has not the lattice's {points} points")));
        }
        let offsets = lattice.fields.iter().flat_map(|field| field.offsets.iter().flatten().copied());
        Ok(LatticeEntry {
            at: lattice.at,
            step: lattice.step,
            columns: count(lattice.columns)?,
            rows: count(lattice.rows)?,
            shapes: lattice.fields.iter().map(|field| shape(field.axis)).collect::<Result<_, _>>()?,
            numbers: self.numbers("lattice.i16".to_owned(), offsets)?,
        })
    }

    fn eye(&mut self, eye: &Eye) -> Result<EyeEntry, BundleError> {
        let hand = match eye.side {
            Side::Left => "left",
            Side::Right => "right",
        };
        let bank = &eye.lids.bank;
        let patches: Vec<&Patch> = bank.patches.iter().collect();
        let name = |index: usize| format!("eyes/{hand}_lids_{index}.png");
        let images = self.patches(&patches, name)?;
        let (columns, rows, mesh) = self.mesh(format!("eyes/{hand}_mesh.i16"), bank, &patches)?;
        let lids = LidsEntry {
            at: bank.at,
            size: bank.size,
            columns,
            rows,
            closures: eye.lids.closures.clone(),
            images,
            mesh,
        };
        Ok(EyeEntry {
            side: eye.side,
            ball: self.picture(format!("eyes/{hand}_ball.png"), &eye.ball)?,
            iris: self.picture(format!("eyes/{hand}_iris.png"), &eye.iris)?,
            travel: eye.travel,
            lids,
        })
    }

    fn mouth(&mut self, mouth: &Mouth) -> Result<MouthEntry, BundleError> {
        let bank = &mouth.bank;
        let grid = mouth.gaps.len() * mouth.widths.len();
        let extras = [("pressed", mouth.pressed), ("bite", mouth.bite), ("tongue", mouth.tongue)];
        let mut indices: Vec<(usize, String)> = (0..grid).map(|index| (index, format!("{index:02}"))).collect();
        indices.extend(extras.iter().filter_map(|&(name, index)| Some((index?, name.to_owned()))));
        let patches = indices.iter().map(|&(index, _)| bank.patches.get(index)).collect::<Option<Vec<_>>>();
        let patches = patches.ok_or_else(|| unpackable("the mouth has fewer pictures than it names"))?;
        let mut images = self.patches(&patches, |index| format!("mouth/{}.png", indices[index].1))?;
        let mut extras = images.split_off(grid).into_iter();
        let mut extra = |index: Option<usize>| index.and_then(|_| extras.next());
        let (pressed, bite, tongue) = (extra(mouth.pressed), extra(mouth.bite), extra(mouth.tongue));
        let mask = mouth.mask.as_ref().map(|mask| self.image("mouth/mask.png".to_owned(), mask)).transpose()?;
        let (columns, rows, mesh) = self.mesh("mouth/mesh.i16".to_owned(), bank, &patches)?;
        Ok(MouthEntry {
            at: bank.at,
            size: bank.size,
            mask,
            columns,
            rows,
            gaps: mouth.gaps.clone(),
            widths: mouth.widths.clone(),
            grid: images,
            pressed,
            bite,
            tongue,
            mesh,
        })
    }

    fn patches(&mut self, patches: &[&Patch], name: impl Fn(usize) -> String) -> Result<Vec<String>, BundleError> {
        patches.iter().enumerate().map(|(index, patch)| self.image(name(index), &patch.image)).collect()
    }

    /// Packs the meshes of a bank's pictures; gives columns, rows and the entry's name.
    fn mesh(&mut self, name: String, bank: &Bank, patches: &[&Patch]) -> Result<(u32, u32, String), BundleError> {
        let (columns, places) = patches.first().map_or((0, 0), |patch| (patch.columns.len(), patch.rows.len()));
        let alike = |patch: &&Patch| {
            patch.columns.len() == columns
                && patch.rows.len() == places
                && [patch.image.width, patch.image.height] == bank.size
        };
        if columns == 0 || !places.is_multiple_of(columns) || !patches.iter().all(alike) {
            return Err(unpackable(format!("the pictures of {name} differ in size or mesh")));
        }
        let numbers = patches.iter().flat_map(|patch| patch.columns.iter().chain(&patch.rows).copied());
        Ok((count(columns)?, count(places / columns)?, self.numbers(name, numbers)?))
    }

    /// Writes the archive: the manifest first, then the entries by name.
    fn close(self, manifest: &[u8]) -> Result<Vec<u8>, BundleError> {
        let failed = |error: zip::result::ZipError| unpackable(error.to_string());
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let entries = self.entries.iter().map(|(name, content)| (name.as_str(), content.as_slice()));
        for (name, content) in std::iter::once((MANIFEST, manifest)).chain(entries) {
            // Pictures are packed already.
            let packed = name.ends_with(".png");
            let method = if packed { CompressionMethod::Stored } else { CompressionMethod::Deflated };
            let options = SimpleFileOptions::default()
                .compression_method(method)
                .last_modified_time(DateTime::default())
                .system(System::Unix)
                .unix_permissions(0o644);
            zip.start_file(name, options).map_err(failed)?;
            zip.write_all(content).map_err(|error| unpackable(error.to_string()))?;
        }
        Ok(zip.finish().map_err(failed)?.into_inner())
    }
}

fn count(value: usize) -> Result<u32, BundleError> {
    u32::try_from(value).map_err(|_| unpackable("a lattice or mesh is too large"))
}

pub(super) fn shape(axis: Axis) -> Result<String, BundleError> {
    match axis {
        Axis::Blendshape(index) if index >= BLENDSHAPE_COUNT => {
            Err(unpackable(format!("there is no blendshape {index}")))
        }
        axis => Ok(axis.name().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{shipped, shipped_names};
    use super::*;

    #[test]
    fn shipped_avatars_survive_being_packed() {
        for name in shipped_names() {
            let bundle = shipped(name).expect("a shipped bundle opens");
            let bytes = bundle.to_bytes().expect("a shipped bundle packs");
            assert_eq!(bytes, bundle.to_bytes().expect("a shipped bundle packs again"), "{name} packs differently");
            let again = AvatarBundle::from_bytes(&bytes).expect("a packed bundle opens");
            assert!(again == bundle, "{name} changed by being packed");
        }
    }

    #[test]
    fn what_the_format_cannot_say_is_refused_by_name() {
        let clapper = || shipped("clapper").expect("a shipped bundle opens");
        let refusal = |bundle: AvatarBundle| bundle.to_bytes().expect_err("it cannot be packed").to_string();

        let mut far = shipped("ada").expect("a shipped bundle opens");
        far.lattice.as_mut().expect("ada moves").fields[0].offsets[3] = [600.0, 0.0];
        assert!(refusal(far).contains("lattice.i16 would hold 600"));

        let mut nowhere = clapper();
        nowhere.mouth.as_mut().expect("a mouth").bank.patches[0].columns[1] = f32::NAN;
        assert!(refusal(nowhere).contains("mouth/mesh.i16 would hold NaN"));

        let mut short = clapper();
        short.layers[0].picture.image.pixels.pop();
        assert!(refusal(short).contains("background.png"));

        let mut twice = clapper();
        twice.layers.push(twice.layers[0].clone());
        assert!(refusal(twice).contains("two of background.png"));

        let mut missing = clapper();
        missing.mouth.as_mut().expect("a mouth").pressed = Some(99);
        assert!(refusal(missing).contains("fewer pictures than it names"));
    }

    #[test]
    fn opaque_pictures_are_packed_without_coverage_and_grey_ones_as_grey() {
        let colour = |png: &[u8]| png[25];
        let picture = |pixels: Vec<[u8; 4]>| Image { width: 1, height: 2, pixels };
        let encode = |pixels| image::encode(&picture(pixels)).expect("a picture");
        assert_eq!(colour(&encode(vec![[7, 7, 7, 255]; 2])), 0);
        assert_eq!(colour(&encode(vec![[7, 8, 9, 255]; 2])), 2);
        assert_eq!(colour(&encode(vec![[7, 7, 7, 255], [0, 0, 0, 0]])), 6);
    }
}
