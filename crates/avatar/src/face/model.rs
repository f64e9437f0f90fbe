//! The audio-to-face network, shared by every session.
//!
//! # The file
//!
//! An ONNX graph that streams: `mel [1, chunk, 48]` and any number of states in, `weights [chunk, channels]` and the same
//! states out, in the same order and shapes, zero at the start of an utterance. Two metadata properties say what the
//! numbers mean: `footlight.channels`, the ARKit names of the channels, comma separated, where a name without its `Left` or
//! `Right` drives both sides; and `footlight.delay`, by how many frames of 10 ms the answer trails what was heard.
//!
//! A file from elsewhere is not trusted: its size, its operators, the size of every tensor that it would make, and its
//! contract are checked before it runs once.

use std::fmt;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::Framework;

use super::{FaceError, LOOK_AHEAD_MS};
use crate::Weights;
use crate::audio::logmel::{HOP, MEL_BANDS, MelFrame, WINDOW_AHEAD};
use crate::weights::{BLENDSHAPES, blendshape};

/// The greatest size of a model file.
pub const MODEL_BYTES_MAX: usize = 8 << 20;
/// The most nodes of a graph: the shipped one has 18.
const NODES_MAX: usize = 256;
/// The most elements of any tensor that a step makes, and of a state.
const ELEMENTS_MAX: usize = 1 << 18;
/// The most frames of one step. A longer step would only hold back what is ready.
const CHUNK_MAX: usize = 16;
/// The most states.
const STATES_MAX: usize = 16;
/// The longest delay whose frames, with what a frame's own window hears ahead, stay inside the look-ahead.
const DELAY_MAX: usize = (LOOK_AHEAD_MS as usize * 16 - WINDOW_AHEAD) / HOP;

/// What a face model may be made of. No control flow, and nothing whose output is larger than the file says.
const OPERATORS: [&str; 27] = [
    "Add",
    "BatchNormalization",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "Div",
    "Flatten",
    "GRU",
    "Gemm",
    "Identity",
    "LSTM",
    "LayerNormalization",
    "LeakyRelu",
    "MatMul",
    "Mul",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Slice",
    "Softplus",
    "Split",
    "Squeeze",
    "Sub",
    "Tanh",
    "Transpose",
    "Unsqueeze",
];

static SHIPPED: &[u8] = include_bytes!("../../assets/face.onnx");

/// A face model that is ready to run. Holds no session's state: share it in an [`Arc`].
pub struct FaceModel {
    plan: Arc<TypedRunnableModel>,
    chunk: usize,
    delay: usize,
    /// Which of [`Weights`] each channel drives: one, or a left and a right.
    channels: Vec<Vec<usize>>,
    states: Vec<Vec<usize>>,
}

impl fmt::Debug for FaceModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaceModel")
            .field("chunk", &self.chunk)
            .field("delay", &self.delay)
            .field("channels", &self.channels.len())
            .field("states", &self.states)
            .finish_non_exhaustive()
    }
}

/// What a session carries from one step to the next.
#[derive(Debug, Clone)]
pub(super) struct ModelState(Vec<TValue>);

impl FaceModel {
    /// Returns the model that ships with Footlight, read once in a process.
    ///
    /// # Errors
    /// [`FaceError`] if the shipped file cannot be read, which its tests rule out.
    pub fn shipped() -> Result<Arc<Self>, FaceError> {
        static MODEL: OnceLock<Arc<FaceModel>> = OnceLock::new();
        if let Some(model) = MODEL.get() {
            return Ok(Arc::clone(model));
        }
        let model = Self::from_onnx(SHIPPED)?;
        Ok(Arc::clone(MODEL.get_or_init(|| model)))
    }

    /// Reads a model from an ONNX file's bytes. Takes some milliseconds: not for a render thread.
    ///
    /// # Errors
    /// [`FaceError`] names what is wrong with the file.
    pub fn from_onnx(bytes: &[u8]) -> Result<Arc<Self>, FaceError> {
        if bytes.len() > MODEL_BYTES_MAX {
            return Err(FaceError::TooLarge { bytes: bytes.len(), limit: MODEL_BYTES_MAX });
        }
        // tract reports most faults as errors, but not every path of its parser does: a hostile file must not take the
        // thread with it.
        let read = catch_unwind(AssertUnwindSafe(|| Self::read(bytes)));
        read.unwrap_or_else(|_| Err(FaceError::Unreadable("the parser gave up on it".into()))).map(Arc::new)
    }

    /// Frames of one step.
    #[must_use]
    pub fn chunk(&self) -> usize {
        self.chunk
    }

    /// Frames of 10 ms by which the answer trails what was heard.
    #[must_use]
    pub fn delay(&self) -> usize {
        self.delay
    }

    /// The shapes that this model drives, by their ARKit names.
    pub fn driven(&self) -> impl Iterator<Item = &'static str> {
        self.channels.iter().flatten().map(|&shape| BLENDSHAPES[shape])
    }

    fn read(bytes: &[u8]) -> Result<Self, FaceError> {
        let onnx = tract_onnx::onnx();
        let file = onnx.proto_model_for_read(&mut Cursor::new(bytes)).map_err(unreadable)?;
        check_operators(&file)?;
        let property = |key: &str| file.metadata_props.iter().find(|p| p.key == key).map(|p| p.value.as_str());
        let channels = channels(property("footlight.channels").unwrap_or_default())?;
        let delay = delay(property("footlight.delay").unwrap_or_default())?;
        let model = onnx.model_for_proto_model(&file).map_err(unreadable)?.into_typed().map_err(unreadable)?;
        check_sizes(&model)?;
        let inputs: Vec<_> =
            (0..model.inputs.len()).map(|n| fixed_shape(model.input_fact(n))).collect::<Result<_, _>>()?;
        let outputs: Vec<_> =
            (0..model.outputs.len()).map(|n| fixed_shape(model.output_fact(n))).collect::<Result<_, _>>()?;
        let chunk = check_contract(&inputs, &outputs, channels.len())?;
        let plan = model.into_optimized().and_then(IntoRunnable::into_runnable).map_err(unreadable)?;
        let model = Self { plan, chunk, delay, channels, states: inputs[1..].to_vec() };
        // One step on silence: what only fails when it runs fails here, and not in a session.
        let silence = vec![[0.0; MEL_BANDS]; chunk];
        model.step(&silence, &mut model.initial_state(), |_| {})?;
        Ok(model)
    }

    /// The state before an utterance.
    pub(super) fn initial_state(&self) -> ModelState {
        ModelState(
            self.states.iter().map(|shape| Tensor::zero::<f32>(shape).expect("f32 has a zero").into_tvalue()).collect(),
        )
    }

    /// Runs one chunk of frames and hands out one set of weights a frame.
    pub(super) fn step(
        &self,
        mel: &[MelFrame],
        state: &mut ModelState,
        mut each: impl FnMut(Weights),
    ) -> Result<(), FaceError> {
        debug_assert_eq!(mel.len(), self.chunk);
        let mel = Tensor::from_shape(&[1, self.chunk, MEL_BANDS], mel.as_flattened()).map_err(run)?;
        let mut inputs = tvec![mel.into_tvalue()];
        inputs.extend(state.0.drain(..));
        let mut outputs = self.plan.run(inputs).map_err(run)?;
        state.0.extend(outputs.drain(1..));
        let predicted = outputs[0].to_plain_array_view::<f32>().map_err(run)?;
        let predicted = predicted.as_slice().ok_or_else(|| FaceError::Run("its output is not contiguous".into()))?;
        for row in predicted.chunks_exact(self.channels.len()) {
            let mut weights = Weights::NEUTRAL;
            for (value, shapes) in row.iter().zip(&self.channels) {
                // A value that is not a number would spread through every later frame: rest instead.
                let value = if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 };
                for &shape in shapes {
                    weights.0[shape] = value;
                }
            }
            each(weights);
        }
        Ok(())
    }
}

fn check_operators(file: &tract_onnx::pb::ModelProto) -> Result<(), FaceError> {
    let Some(graph) = &file.graph else {
        return Err(FaceError::Unreadable("it holds no graph".into()));
    };
    if graph.node.len() > NODES_MAX {
        return Err(FaceError::Shape {
            what: "node count".to_owned(),
            found: graph.node.len().to_string(),
            expected: format!("at most {NODES_MAX}"),
        });
    }
    match graph.node.iter().find(|node| !node.domain.is_empty() || !OPERATORS.contains(&node.op_type.as_str())) {
        Some(node) => Err(FaceError::Operator { op: node.op_type.clone() }),
        None => Ok(()),
    }
}

/// Bounds every tensor that a step would make, before anything is computed.
fn check_sizes(model: &TypedModel) -> Result<(), FaceError> {
    for node in &model.nodes {
        for outlet in &node.outputs {
            let elements = fixed_shape(Ok(&outlet.fact))?.iter().try_fold(1_usize, |all, &dim| all.checked_mul(dim));
            if elements.is_none_or(|elements| elements > ELEMENTS_MAX) {
                return Err(FaceError::Shape {
                    what: format!("tensor at node {}", node.name),
                    found: format!("{:?}", outlet.fact.shape),
                    expected: format!("at most {ELEMENTS_MAX} elements"),
                });
            }
        }
    }
    Ok(())
}

/// Checks inputs and outputs and returns how many frames a step takes.
fn check_contract(inputs: &[Vec<usize>], outputs: &[Vec<usize>], channels: usize) -> Result<usize, FaceError> {
    let shape = |what: &str, found: &dyn fmt::Debug, expected: String| {
        Err(FaceError::Shape { what: what.to_owned(), found: format!("{found:?}"), expected })
    };
    let chunk = match inputs.first().map(Vec::as_slice) {
        Some(&[1, chunk, MEL_BANDS]) if (1..=CHUNK_MAX).contains(&chunk) => chunk,
        other => return shape("first input", &other, format!("[1, 1 to {CHUNK_MAX}, {MEL_BANDS}]")),
    };
    match outputs.first() {
        Some(found) if *found == [chunk, channels] => {}
        other => return shape("first output", &other, format!("[{chunk}, {channels}]")),
    }
    if inputs.len() > STATES_MAX + 1 {
        return shape("state count", &(inputs.len() - 1), format!("at most {STATES_MAX}"));
    }
    if inputs[1..] != outputs[1..] {
        return shape("states out", &&outputs[1..], format!("{:?}, as they came in", &inputs[1..]));
    }
    Ok(chunk)
}

fn fixed_shape(fact: TractResult<&TypedFact>) -> Result<Vec<usize>, FaceError> {
    let fact = fact.map_err(unreadable)?;
    match fact.shape.as_concrete() {
        Some(shape) => Ok(shape.to_vec()),
        None => Err(FaceError::Shape {
            what: "tensor shape".to_owned(),
            found: format!("{:?}", fact.shape),
            expected: "fixed numbers".to_owned(),
        }),
    }
}

fn channels(names: &str) -> Result<Vec<Vec<usize>>, FaceError> {
    names
        .split(',')
        .map(|name| {
            let both = [blendshape(&format!("{name}Left")), blendshape(&format!("{name}Right"))];
            match (blendshape(name), both) {
                (Some(shape), _) => Ok(vec![shape]),
                (None, [Some(left), Some(right)]) => Ok(vec![left, right]),
                _ => Err(FaceError::Shape {
                    what: "metadata footlight.channels".to_owned(),
                    found: format!("{name:?}"),
                    expected: "comma separated arkit blendshape names".to_owned(),
                }),
            }
        })
        .collect()
}

fn delay(text: &str) -> Result<usize, FaceError> {
    text.parse().ok().filter(|delay| *delay <= DELAY_MAX).ok_or_else(|| FaceError::Shape {
        what: "metadata footlight.delay".to_owned(),
        found: format!("{text:?}"),
        expected: format!("0 to {DELAY_MAX} frames"),
    })
}

fn unreadable(error: TractError) -> FaceError {
    FaceError::Unreadable(error.into())
}

fn run(error: TractError) -> FaceError {
    FaceError::Run(error.into())
}
