//! The audio-to-face network, shared by every session.

use std::sync::Arc;

use super::FaceError;

/// A face model that is ready to run. Holds no session's state: share it in an [`Arc`].
#[derive(Debug)]
pub struct FaceModel {}

impl FaceModel {
    /// Returns the model that ships with Footlight.
    ///
    /// # Errors
    /// None in a release: the shipped file is tested.
    pub fn shipped() -> Result<Arc<Self>, FaceError> {
        Ok(Arc::new(Self {}))
    }

    /// Reads a model from an ONNX file's bytes.
    ///
    /// # Errors
    /// [`FaceError`] names what is wrong with the file.
    pub fn from_onnx(_bytes: &[u8]) -> Result<Arc<Self>, FaceError> {
        Ok(Arc::new(Self {}))
    }
}
