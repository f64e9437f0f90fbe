"""Writes the network as an ONNX graph for streaming: a fixed chunk of frames in, the state in and out beside it.

Written node by node rather than traced, so that the file holds nothing that the runtime does not need, and the same
weights give the same bytes.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from .features import BANDS
from .net import CHUNK, CONTEXT, DELAY, FAR_KERNEL, HIDDEN, NEAR_KERNEL, PAIR, WIDE
from .phones import CHANNELS

PAST = 4
STATES = {"near": (1, BANDS, PAST), "far": (1, WIDE, PAST), "memory": (1, 1, HIDDEN)}
STEPS = CHUNK // PAIR
assert PAST == NEAR_KERNEL - 1 == FAR_KERNEL - PAIR, "both convolutions keep the same past"


def write(net, path, about):
    """Exports `net` to `path` and checks, in onnxruntime, that chunks with state give what the whole sentence gave."""
    tensors = {name: tensor.detach().numpy() for name, tensor in net.state_dict().items()}
    constants = {
        "near_w": tensors["near.weight"], "near_b": tensors["near.bias"],
        "far_w": tensors["far.weight"], "far_b": tensors["far.bias"],
        "gru_w": _gate_order(tensors["memory.weight_ih_l0"])[None],
        "gru_r": _gate_order(tensors["memory.weight_hh_l0"])[None],
        "gru_b": np.concatenate([_gate_order(tensors["memory.bias_ih_l0"]),
                                 _gate_order(tensors["memory.bias_hh_l0"])])[None],
        "mix_w": tensors["mix.weight"], "mix_b": tensors["mix.bias"],
        "out_w": tensors["out.weight"], "out_b": tensors["out.bias"],
        "last": np.array([-PAST]), "end": np.array([2**31 - 1]), "time": np.array([2]),
        "flat": np.array([STEPS, HIDDEN]), "flat_x": np.array([STEPS, CONTEXT]),
        "rows": np.array([CHUNK, len(CHANNELS)]),
    }
    node = helper.make_node
    nodes = [
        node("Transpose", ["mel"], ["bands"], perm=[0, 2, 1]),
        node("Concat", ["near", "bands"], ["near_in"], axis=2),
        node("Slice", ["near_in", "last", "end", "time"], ["near_out"]),
        node("Conv", ["near_in", "near_w", "near_b"], ["near_lin"], kernel_shape=[NEAR_KERNEL]),
        node("Relu", ["near_lin"], ["near_act"]),
        node("Concat", ["far", "near_act"], ["far_in"], axis=2),
        node("Slice", ["far_in", "last", "end", "time"], ["far_out"]),
        node("Conv", ["far_in", "far_w", "far_b"], ["far_lin"], kernel_shape=[FAR_KERNEL], strides=[PAIR]),
        node("Relu", ["far_lin"], ["far_act"]),
        node("Transpose", ["far_act"], ["x"], perm=[2, 0, 1]),
        node("GRU", ["x", "gru_w", "gru_r", "gru_b", "", "memory"], ["y", "memory_out"], hidden_size=HIDDEN,
             linear_before_reset=1),
        node("Reshape", ["y", "flat"], ["remembered"]),
        node("Reshape", ["x", "flat_x"], ["heard"]),
        node("Concat", ["remembered", "heard"], ["both"], axis=1),
        node("Gemm", ["both", "mix_w", "mix_b"], ["mix_lin"], transB=1),
        node("Relu", ["mix_lin"], ["mixed"]),
        node("Gemm", ["mixed", "out_w", "out_b"], ["logits"], transB=1),
        node("Reshape", ["logits", "rows"], ["by_frame"]),
        node("Sigmoid", ["by_frame"], ["weights"]),
    ]

    def value(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        nodes, "audio_to_face",
        [value("mel", (1, CHUNK, BANDS))] + [value(name, shape) for name, shape in STATES.items()],
        [value("weights", (CHUNK, len(CHANNELS)))] + [value(f"{name}_out", shape) for name, shape in STATES.items()],
        [numpy_helper.from_array(array.astype(np.int64 if array.dtype == np.int64 else np.float32), name)
         for name, array in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
                              producer_name="footlight")
    helper.set_model_props(model, {"footlight.channels": ",".join(CHANNELS), "footlight.delay": str(DELAY),
                                   "footlight.about": about})
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    _compare(net, path)


def _gate_order(array):
    """torch keeps reset, update, new; ONNX update, reset, hidden."""
    reset, update, new = np.split(array, 3)
    return np.concatenate([update, reset, new])


class Streaming:
    """The exported file run chunk by chunk, as a session runs it."""

    def __init__(self, path, threads=1):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.reset()

    def reset(self):
        self.state = [np.zeros(shape, np.float32) for shape in STATES.values()]

    def step(self, mel):
        """Weights `[CHUNK, channels]` for the next `CHUNK` frames; they belong to moments `DELAY` frames ago."""
        inputs = dict(zip(STATES, self.state))
        weights, *self.state = self.session.run(None, {"mel": mel[None], **inputs})
        return weights

    def predict(self, mel):
        """Weights `[time, channels]` for one utterance from its start, the delay taken off."""
        self.reset()
        frames = len(mel)
        total = -(-(frames + DELAY) // CHUNK) * CHUNK
        padded = np.zeros((total, BANDS), np.float32)
        padded[:frames] = mel
        weights = [self.step(padded[at:at + CHUNK]) for at in range(0, total, CHUNK)]
        return np.concatenate(weights)[DELAY:DELAY + frames]


def _compare(net, path):
    from .train import predict
    mel = np.random.default_rng(3).uniform(0, 1.2, (157, BANDS)).astype(np.float32)
    difference = np.abs(Streaming(path).predict(mel) - predict(net, mel)).max()
    if difference > 1e-4:
        raise RuntimeError(f"the exported file differs from the network by {difference}")
