//! Gestures for an avatar: nod, shake, tilt, wink, listen.
//!
//! Each is drawn once, as animators draw them (a little the other way first, then swinging out), and fitted to the avatar:
//! what it does not have is left out, and its head goes only as far as its lattice bends without tearing.
//!
//! Suggested reading order: [`gestures_for`], [`preview()`]; then, inside, `sketch` (what is wanted), `fit` (what is borne).

mod fit;
mod preview;
mod sketch;
#[cfg(test)]
mod tests;

use footlight_avatar::bundle::{AvatarBundle, Gesture, GestureFault};
use footlight_render::RenderError;

pub use preview::preview;

/// Why gestures could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DynamicsError {
    /// The avatar is one still picture.
    #[error("avatar `{avatar}` has no lattice: nothing of it can be moved, so there are no gestures for it")]
    NoLattice {
        /// Its name.
        avatar: String,
    },
    /// It has a lattice, and none of the gestures would be seen on it.
    #[error(
        "avatar `{avatar}` has a lattice that turns no head, and no left eye that closes: no gesture would be seen"
    )]
    NothingMoves {
        /// Its name.
        avatar: String,
    },
    /// A gesture does not follow the format.
    #[error(transparent)]
    Gesture(#[from] GestureFault),
    /// The preview could not be drawn.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The preview could not be written.
    #[error("the preview could not be written as PNG")]
    Picture(#[from] png::EncodingError),
}

/// The gestures that this avatar can make. The same avatar gives the same gestures; takes some tens of milliseconds.
///
/// # Errors
/// [`DynamicsError::NoLattice`], [`DynamicsError::NothingMoves`].
pub fn gestures_for(bundle: &AvatarBundle) -> Result<Vec<Gesture>, DynamicsError> {
    let avatar = || bundle.manifest.name.clone();
    let Some(lattice) = &bundle.lattice else { return Err(DynamicsError::NoLattice { avatar: avatar() }) };
    let sheet = fit::Sheet::of(bundle, lattice);
    let gestures: Vec<Gesture> = sketch::ALL.iter().filter_map(|sketch| sketch.fitted(bundle, &sheet)).collect();
    if gestures.is_empty() {
        return Err(DynamicsError::NothingMoves { avatar: avatar() });
    }
    gestures.iter().try_for_each(Gesture::check)?;
    Ok(gestures)
}
