"""A sentence encoder as int8 ONNX: what a training leaves behind becomes what mozi searches with.

The graph is written down node by node rather than traced: the fused operators of ONNX Runtime are placed
where they belong, and the same weights and the same onnx give the same bytes. Weights are int8, symmetric,
one scale an output column (one a row for the embeddings); activations are quantised by the runtime as they
come. One scale a tensor loses too much: a mean cosine of 0.953 to float32, against 0.993.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from mozi_engine.datasets.qasper import QasperPaper
from mozi_engine.errors import ModelError
from mozi_engine.files import atomic
from mozi_engine.retrieval.dense import Embedder, Encoder, searched

LENGTH = 256  # word pieces: as far as the graph has positions
EPSILON = 1e-12

Floats = NDArray[np.float32]


def export(model: Path, out: Path) -> None:
    """Write `out/model.onnx` and `out/tokenizer.json` from a sentence-transformers folder.

    The folder holds a BERT whose token vectors are averaged (all-MiniLM-L6-v2 and what is trained from it).
    Raises ModelError when it holds something else.
    """
    try:
        config = json.loads((model / "config.json").read_text("utf-8"))
        weights = load_file(model / "model.safetensors")
        published = (model / "tokenizer.json").read_bytes()
        graph = build(weights, config["num_hidden_layers"], config["num_attention_heads"])
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(
            f"{model} holds no BERT encoder: {error}", hint="give a training's model folder"
        ) from error
    with atomic(out / "model.onnx") as file:
        file.write(graph.SerializeToString(deterministic=True))
    with atomic(out / "tokenizer.json") as file:
        file.write(tokenizer(published).encode())


def unlike(model: Any) -> list[str]:
    """What of a sentence-transformers model is not as in the graph, and lost by `export`; or nothing."""
    config = getattr(model[0], "auto_model", model[0]).config
    kept = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "layer_norm_eps": EPSILON,
        "hidden_size": Encoder.width,
    }
    found = [f"{key} {getattr(config, key, None)}" for key in kept if getattr(config, key, None) != kept[key]]
    pooling = [getattr(module, "pooling_mode", None) for module in model][1:2]
    return found + [f"pooling {mode}" for mode in pooling if mode != "mean"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two encoders rank: shares in [0, 1] and Spearman's correlation, means over questions."""

    questions: int
    same_first: float
    overlap_at_5: float
    spearman: float


def agreement(
    first: tuple[Embedder, Embedder], second: tuple[Embedder, Embedder], papers: Sequence[QasperPaper]
) -> Agreement:
    """Compare the rankings of each paper's passages for its questions.

    Each is what encodes passages, and what encodes questions.
    """
    found = []
    for paper in papers:
        texts = [searched(passage) for passage in paper.passages]
        asked = [question.text for question in paper.questions]
        if texts and asked:
            one, other = (
                reading.encode(texts) @ asking.encode(asked).T for reading, asking in (first, second)
            )
            found += [_alike(a, b) for a, b in zip(one.T, other.T, strict=True)]
    means = np.mean(found, axis=0) if found else np.ones(3)
    return Agreement(len(found), *(float(mean) for mean in means))


def _alike(first: Floats, second: Floats) -> tuple[float, float, float]:
    one, other = (np.argsort(-scores, kind="stable") for scores in (first, second))
    ranks = np.corrcoef(one.argsort(), other.argsort())[0, 1] if len(one) > 1 else 1.0
    return float(one[0] == other[0]), len({*one[:5]} & {*other[:5]}) / min(5, len(one)), float(ranks)


class Graph:
    """An ONNX graph under construction. Each method adds nodes and returns the name of what they give."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """A tensor that ships with the graph."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, name: str, inputs: list[str], outputs: int = 1, **attributes: Any) -> str:
        """One operator. Outputs beyond the first are called `name.1`, `name.2` and so on."""
        names = [name, *(f"{name}.{i}" for i in range(1, outputs))]
        self.nodes.append(helper.make_node(kind, inputs, names, name=name, **attributes))
        return name

    def microsoft(self, kind: str, name: str, inputs: list[str], **attributes: Any) -> str:
        """One of ONNX Runtime's own operators."""
        return self.node(kind, name, inputs, domain="com.microsoft", **attributes)

    def matmul(self, name: str, inputs: str, weight: Floats, bias: Floats | None = None) -> str:
        """`inputs @ weight + bias`, with `weight` (in, out) in int8."""
        values, scale = int8(weight, axis=0)
        operands = [inputs, self.constant(f"{name}.weight", values), self.constant(f"{name}.scale", scale)]
        operands += [self.constant(f"{name}.zero", np.zeros(len(scale), np.int8))]
        operands += [] if bias is None else [self.constant(f"{name}.bias", bias)]
        return self.microsoft("DynamicQuantizeMatMul", name, operands)

    def attention(self, name: str, inputs: str, weight: Floats, bias: Floats, mask: str, heads: int) -> str:
        """Self-attention before its output projection; `weight` (in, 3 out) is query, key, value."""
        values, scale = int8(weight, axis=0)
        quantised = self.node("DynamicQuantizeLinear", f"{name}.inputs", [inputs], outputs=3)
        operands = [quantised, self.constant(f"{name}.weight", values), self.constant(f"{name}.bias", bias)]
        operands += [f"{quantised}.1", self.constant(f"{name}.scale", scale), mask, f"{quantised}.2"]
        operands += [self.constant(f"{name}.zero", np.zeros(len(scale), np.int8))]
        return self.microsoft("QAttention", name, operands, num_heads=heads)

    def add_and_norm(
        self, name: str, inputs: str, skip: str, scale: Floats, shift: Floats, bias: Floats
    ) -> str:
        """`inputs + skip + bias`, normalised, then scaled and shifted."""
        constants = [("scale", scale), ("shift", shift), ("bias", bias)]
        operands = [inputs, skip, *(self.constant(f"{name}.{key}", value) for key, value in constants)]
        return self.microsoft("SkipLayerNormalization", name, operands, epsilon=EPSILON)


def int8(weight: Floats, axis: int) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric int8 values and their scales, one for each slice along which `axis` runs."""
    scale = np.maximum(np.abs(weight).max(axis=axis), 1e-8) / 127  # a row of zeros stays one
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


def layer(graph: Graph, weights: dict[str, Floats], number: int, inputs: str, heads: int) -> str:
    """One Transformer block. PyTorch stores a linear layer's weight as (out, in)."""
    name = f"layer{number}"

    def of(part: str, key: str = "weight") -> Floats:
        return weights[f"encoder.layer.{number}.{part}.{key}"].T

    projections = [f"attention.self.{each}" for each in ("query", "key", "value")]
    weight = np.concatenate([of(each) for each in projections], axis=1)
    bias = np.concatenate([of(each, "bias") for each in projections])
    context = graph.attention(f"{name}.attention", inputs, weight, bias, "mask", heads)
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


def build(weights: dict[str, Floats], layers: int, heads: int) -> onnx.ModelProto:
    """The model: input_ids and attention_mask, int64 (n, tokens), to unit vectors, float32 (n, width)."""
    graph = Graph()
    graph.node("Cast", "mask", ["attention_mask"], to=TensorProto.INT32)
    states = embed(graph, weights)
    for number in range(layers):
        states = layer(graph, weights, number, states, heads)
    pool(graph, states)
    width = weights["embeddings.word_embeddings.weight"].shape[1]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", width])
    body = helper.make_graph(graph.nodes, "sentence-encoder-int8", inputs, [output], graph.constants)
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(body, opset_imports=versions, ir_version=8, producer_name="mozi")


def tokenizer(published: bytes) -> str:
    """The published tokenizer without its fixed padding to 128, and truncated where the graph ends."""
    settings = json.loads(published)
    settings["padding"] = None
    settings["truncation"] = {"max_length": LENGTH, "strategy": "LongestFirst", "stride": 0}
    return json.dumps(settings, ensure_ascii=False, separators=(",", ":"))
