//! What can go wrong between audio and a face.

/// A fault of a face model, or of what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FaceError {
    /// The file is larger than any face model may be.
    #[error("face model is {bytes} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The greatest size allowed.
        limit: usize,
    },
    /// The file is not ONNX, or holds what tract cannot run.
    #[error("face model cannot be read as onnx")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The graph uses an operator outside the allowed list.
    #[error("face model uses the operator {op}, which is not among those a face model may use")]
    Operator {
        /// The operator's ONNX name.
        op: String,
    },
    /// Inputs or outputs differ from the contract.
    #[error("face model's {what} is {found}, expected {expected}")]
    Shape {
        /// Which tensor, or which count.
        what: String,
        /// What the file has.
        found: String,
        /// What the contract says.
        expected: String,
    },
    /// Running the graph failed.
    #[error("face model failed while running")]
    Run(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A frame rate that predictions at 100 Hz cannot serve.
    #[error("frame rate {fps} is outside 1 to 100")]
    FrameRate {
        /// What was asked for.
        fps: u32,
    },
}
