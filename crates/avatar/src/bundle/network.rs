//! A network that draws the mouth from sound, by the Wav2Lip contract.
//!
//! mel `[N, 1, 80, 16]` and face `[N, 6, 96, 96]` to `[N, 3, 96, 96]`: the face is blue, green, red in `0.0..=1.0`, once
//! with its lower half blank and once whole; the answer is the whole face with its mouth as the sound has it. A file from
//! elsewhere is not trusted: operators, sizes and the contract are checked before it runs, and it runs once before it
//! is accepted.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::Framework;

use super::error::{EntryFault, printable};
use super::mel::{MEL_BANDS, MEL_FRAMES, MelWindow};

/// The side of the face that a mouth network sees and draws, in pixels.
pub const FACE_SIDE: usize = 96;
/// Numbers in the face that a network sees: two pictures of three channels, each row-major.
pub const FACE_INPUT_LEN: usize = 6 * FACE_SIDE * FACE_SIDE;

/// The most nodes of a graph; Wav2Lip has about 200.
const NODES_MAX: usize = 2048;
/// The most elements of any tensor that a run makes; Wav2Lip's largest has 0.9 million.
const ELEMENTS_MAX: usize = 1 << 22;
/// The most multiply-adds of a run: what no core does within [`RUN_MAX`]. Looked at before anything runs.
const MULTIPLY_ADDS_MAX: u64 = 1 << 31;
/// A picture must be drawn within this, half a frame's time: the rest of the frame wants its share, and other sessions
/// theirs.
const RUN_MAX: Duration = Duration::from_millis(20);
/// How often a network is timed; the median counts, so that a busy machine does not refuse a good one.
const RUNS: usize = 3;

/// What a mouth network may be made of. No control flow, and nothing whose output is larger than the file says.
const OPERATORS: [&str; 26] = [
    "Add",
    "BatchNormalization",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "ConvTranspose",
    "DepthToSpace",
    "Div",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
    "Identity",
    "LeakyRelu",
    "MatMul",
    "Mul",
    "PRelu",
    "Pad",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Squeeze",
    "Sub",
    "Tanh",
    "Transpose",
    "Unsqueeze",
];

/// A mouth network that is ready to run; holds no session's state.
pub struct MouthModel {
    plan: Arc<TypedRunnableModel>,
    /// The file it was read from: a bundle that is packed again needs it, and a plan cannot be written back.
    onnx: Box<[u8]>,
    /// Whether the mel comes before the face.
    mel_first: bool,
}

impl std::fmt::Debug for MouthModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MouthModel").field("mel_first", &self.mel_first).finish_non_exhaustive()
    }
}

impl MouthModel {
    /// Reads a network from an ONNX file's bytes and runs it once.
    pub(super) fn from_onnx(bytes: &[u8]) -> Result<Arc<Self>, EntryFault> {
        // Not every fault of a hostile file comes out of the parser as an error.
        let read = catch_unwind(AssertUnwindSafe(|| Self::read(bytes)));
        read.unwrap_or_else(|_| Err(invalid("cannot be read as onnx: the parser gave up on it"))).map(Arc::new)
    }

    fn read(bytes: &[u8]) -> Result<Self, EntryFault> {
        let onnx = tract_onnx::onnx();
        let file = onnx.proto_model_for_read(&mut Cursor::new(bytes)).map_err(unreadable)?;
        check_operators(&file)?;
        let mut model = onnx.model_for_proto_model(&file).map_err(unreadable)?;
        let channels = |model: &InferenceModel, input: usize| -> Option<i64> {
            let dim = model.input_fact(input).ok()?.shape.dims().nth(1)?.concretize()?;
            dim.to_i64().ok()
        };
        let mel_first = match (model.inputs.len(), channels(&model, 0), channels(&model, 1)) {
            (2, Some(1), Some(6)) => true,
            (2, Some(6), Some(1)) => false,
            _ => return Err(invalid("must take a mel [N, 1, 80, 16] and a face [N, 6, 96, 96]")),
        };
        let mel = f32::fact([1, 1, MEL_BANDS, MEL_FRAMES]);
        let face = f32::fact([1, 6, FACE_SIDE, FACE_SIDE]);
        let facts = if mel_first { [mel, face] } else { [face, mel] };
        for (input, fact) in facts.into_iter().enumerate() {
            model.set_input_fact(input, fact.into()).map_err(unreadable)?;
        }
        let model = model.into_typed().map_err(unreadable)?;
        check_sizes(&model)?;
        check_work(&model)?;
        let drawn = model.output_fact(0).map_err(unreadable)?.shape.as_concrete().map(<[usize]>::to_vec);
        if model.outputs.len() != 1 || drawn.as_deref() != Some(&[1, 3, FACE_SIDE, FACE_SIDE]) {
            return Err(invalid("must draw one face [N, 3, 96, 96]"));
        }
        let plan = model.into_optimized().and_then(IntoRunnable::into_runnable).map_err(unreadable)?;
        let model = Self { plan, onnx: bytes.into(), mel_first };
        let mut runs = [Duration::ZERO; RUNS];
        for run in &mut runs {
            let began = Instant::now();
            model.draw(&[0.0; MEL_BANDS * MEL_FRAMES], &vec![0.0; FACE_INPUT_LEN]).map_err(EntryFault::Invalid)?;
            *run = began.elapsed();
        }
        runs.sort_unstable();
        let run = runs[RUNS / 2];
        if run > RUN_MAX {
            let (took, may) = (run.as_millis(), RUN_MAX.as_millis());
            return Err(invalid(format!("takes {took} ms a picture; a mouth network may take {may} ms")));
        }
        Ok(model)
    }

    /// The ONNX file that it was read from.
    #[must_use]
    pub fn onnx(&self) -> &[u8] {
        &self.onnx
    }

    /// Draws a face: blue, green and red in `0.0..=1.0`, each [`FACE_SIDE`] rows of as many pixels.
    ///
    /// `face` is as the contract has it, [`FACE_INPUT_LEN`] numbers. Blocks for as long as the network takes.
    ///
    /// # Errors
    /// What the inference engine says.
    pub fn draw(&self, mel: &MelWindow, face: &[f32]) -> Result<Vec<f32>, String> {
        let say = |error: TractError| error.to_string();
        let mel = Tensor::from_shape(&[1, 1, MEL_BANDS, MEL_FRAMES], mel).map_err(say)?.into_tvalue();
        let face = Tensor::from_shape(&[1, 6, FACE_SIDE, FACE_SIDE], face).map_err(say)?.into_tvalue();
        let inputs = if self.mel_first { tvec![mel, face] } else { tvec![face, mel] };
        let outputs = self.plan.run(inputs).map_err(say)?;
        let drawn = outputs[0].to_plain_array_view::<f32>().map_err(say)?;
        // What is not a number is drawn black.
        Ok(drawn.iter().map(|&value| if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 }).collect())
    }
}

fn invalid(what: impl Into<String>) -> EntryFault {
    EntryFault::Invalid(what.into())
}

fn unreadable(error: TractError) -> EntryFault {
    invalid(format!("cannot be read as onnx: {}", printable(&error.to_string())))
}

fn check_operators(file: &tract_onnx::pb::ModelProto) -> Result<(), EntryFault> {
    let graph = file.graph.as_ref().ok_or_else(|| invalid("cannot be read as onnx: it holds no graph"))?;
    if graph.node.len() > NODES_MAX {
        return Err(invalid(format!("has {} nodes; a mouth network may have {NODES_MAX}", graph.node.len())));
    }
    match graph.node.iter().find(|node| !node.domain.is_empty() || !OPERATORS.contains(&node.op_type.as_str())) {
        Some(node) => {
            Err(invalid(format!("uses the operator {}, which mouth networks may not", printable(&node.op_type))))
        }
        None => Ok(()),
    }
}

/// Bounds every tensor that a run would make, before anything is computed.
fn check_sizes(model: &TypedModel) -> Result<(), EntryFault> {
    for node in &model.nodes {
        for outlet in &node.outputs {
            let shape = outlet.fact.shape.as_concrete();
            let elements = shape.and_then(|dims| dims.iter().try_fold(1_usize, |all, &dim| all.checked_mul(dim)));
            if elements.is_none_or(|elements| elements > ELEMENTS_MAX) {
                let name = printable(&node.name);
                return Err(invalid(format!(
                    "makes a tensor of {:?} at node {name}, which is too large",
                    outlet.fact.shape
                )));
            }
        }
    }
    Ok(())
}

/// Bounds what a run would compute, before anything is.
fn check_work(model: &TypedModel) -> Result<(), EntryFault> {
    let mut work = 0_u64;
    for node in &model.nodes {
        let inputs = model.node_input_facts(node.id).map_err(unreadable)?;
        let costs = node.op.cost(&inputs).map_err(unreadable)?;
        for (_, times) in costs.iter().filter(|(cost, _)| cost.is_compute()) {
            let times = times.to_i64().map_err(|_| invalid("does not say how much work it is"))?;
            work = work.saturating_add(times.unsigned_abs());
        }
        // What an operator does not say of itself: a step for each number that it makes, and a transposed convolution
        // lays its kernel over each number that it takes.
        let made: u64 = node.outputs.iter().map(|outlet| elements(&outlet.fact)).sum();
        work = work.saturating_add(made);
        if let ("Deconv", [taken, kernel, ..]) = (node.op.name().as_ref(), inputs.as_slice()) {
            let channels = taken.shape.get(1).and_then(|dim| dim.to_i64().ok()).map_or(1, i64::unsigned_abs).max(1);
            work = work.saturating_add(elements(taken).saturating_mul(elements(kernel) / channels));
        }
    }
    if work > MULTIPLY_ADDS_MAX {
        let (millions, max) = (work / 1_000_000, MULTIPLY_ADDS_MAX / 1_000_000);
        return Err(invalid(format!(
            "needs {millions} million multiply-adds a picture; a mouth network may need {max}"
        )));
    }
    Ok(())
}

/// How many numbers a tensor has; sizes are known and bounded here.
fn elements(fact: &TypedFact) -> u64 {
    fact.shape.as_concrete().map_or(u64::MAX, |dims| dims.iter().map(|&dim| dim as u64).product())
}
