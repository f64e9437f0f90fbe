"""Writes the small mouth networks that the tests use: one paints the face by how loud the sound is, and one is small as a
file and more work than a core does in a frame.

    pip install onnx==1.23.2 && python3 mouth_fixture.py

It follows the Wav2Lip contract: mel [N, 1, 80, 16] and face [N, 6, 96, 96] to [N, 3, 96, 96].
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUT = Path(__file__).resolve().parent.parent / "crates" / "avatar" / "tests" / "fixtures"


def main():
    weights = {
        # The whole face, out of the six channels.
        "pick": np.concatenate([np.zeros((3, 3, 1, 1)), np.eye(3).reshape(3, 3, 1, 1)], axis=1).astype(np.float32),
        # Loudness: the mean of the mel, from silence at -4 to full at 4.
        "mean": np.full((1, 1, 80, 16), 1 / (80 * 16 * 8), np.float32),
        "bias": np.array([0.5], np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["face", "pick"], ["whole"]),
        helper.make_node("Conv", ["mel", "mean", "bias"], ["loudness"]),
        # Loud sound turns the picture towards white.
        helper.make_node("Add", ["whole", "loudness"], ["painted"]),
        helper.make_node("Sigmoid", ["painted"], ["drawn"]),
    ]
    write("mouth.onnx", nodes, weights)

    # The face against itself, twice: the second product is of 1728 by 1728, five thousand million multiply-adds.
    weights = {
        "rows": np.array([1728, 32], np.int64),
        "faces": np.array([1, 6, 96, 96], np.int64),
        "pick": weights["pick"],
        "mean": weights["mean"],
    }
    nodes = [
        helper.make_node("Reshape", ["face", "rows"], ["x"]),
        helper.make_node("Transpose", ["x"], ["xt"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "xt"], ["y"]),
        helper.make_node("MatMul", ["y", "y"], ["yy"]),
        helper.make_node("MatMul", ["yy", "x"], ["z"]),
        helper.make_node("Reshape", ["z", "faces"], ["back"]),
        helper.make_node("Conv", ["back", "pick"], ["whole"]),
        helper.make_node("Conv", ["mel", "mean"], ["loudness"]),
        helper.make_node("Add", ["whole", "loudness"], ["drawn"]),
    ]
    write("mouth_slow.onnx", nodes, weights)


def write(name, nodes, weights):
    shape = lambda name, dims: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *dims])
    graph = helper.make_graph(
        nodes,
        "mouth",
        [shape("mel", (1, 80, 16)), shape("face", (6, 96, 96))],
        [shape("drawn", (3, 96, 96))],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    (OUT / name).write_bytes(model.SerializeToString())
    print(f"{name}: {(OUT / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
