"""Texts side by side in a row must not see each other, in the models and ways of attention that are trained."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, Gemma3TextConfig, LlamaConfig, Qwen2Config

from mozi_engine.training.llm.rows import IGNORED, Example, batch

VOCABULARY = 50
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "initializer_range": 0.5,  # or attention is so even that a leak hardly shows
}
CONFIGS = {
    "llama": LlamaConfig(num_hidden_layers=2, **SIZES),
    "qwen2": Qwen2Config(num_hidden_layers=2, **SIZES),
    # Texts longer than the window, and layers with it and without it.
    "gemma3": Gemma3TextConfig(
        num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"], sliding_window=4, **SIZES
    ),
}
ROWS = [[[3, 4, 5, 6, 7, 8, 9], [10, 11], [12, 13, 14, 15, 16, 17]], [[18], [19, 20, 21, 22, 23, 24, 25, 26]]]


@cache
def build(kind: str, attention: str) -> Any:
    torch.manual_seed(0)
    made = AutoModelForCausalLM.from_config(CONFIGS[kind], attn_implementation=attention, dtype=torch.float32)
    made.config.use_cache = False  # as in training: with a cache, transformers does not look for packed texts
    return made.eval()


@pytest.fixture(params=[(kind, attention) for kind in CONFIGS for attention in ("sdpa", "eager")], ids=str)
def model(request: pytest.FixtureRequest) -> Any:
    return build(*request.param)


def example(tokens: Sequence[int]) -> Example:
    return Example(tuple(tokens), (IGNORED, *tokens[1:]))


def nats(model: Any, tokens: Sequence[int]) -> float:
    """A text's loss by itself, summed."""
    ids = torch.tensor([list(tokens)])
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0, :-1]
    return float(cross_entropy(logits, ids[0, 1:], reduction="sum"))


def packed(model: Any, rows: Sequence[Sequence[Sequence[int]]]) -> float:
    """The mean loss of rows, as training has it."""
    with torch.no_grad():
        return float(model(**batch([tuple(map(example, row)) for row in rows])).loss)


def alone(model: Any, rows: Sequence[Sequence[Sequence[int]]]) -> float:
    """The mean loss of the same texts, one by one."""
    texts = [text for row in rows for text in row]
    return sum(nats(model, text) for text in texts) / sum(len(text) - 1 for text in texts)


def test_the_loss_of_rows_is_that_of_their_texts(model: Any) -> None:
    assert packed(model, ROWS) == pytest.approx(alone(model, ROWS), rel=1e-5)


def test_logits_are_computed_where_the_next_token_is_learned_and_nowhere_else(model: Any) -> None:
    answer = Example((5, 6, 7, 8), (IGNORED, IGNORED, 7, 8))
    rows = batch([(answer, answer), (answer,)])
    with torch.no_grad():
        computed = model(**rows)
        full = model(input_ids=torch.tensor([answer.ids])).logits[0]
    assert computed.logits.shape[:-1] == (6,)
    assert rows["shift_labels"].tolist() == [7, 8, 7, 8, 7, 8]
    assert float(computed.loss) == pytest.approx(
        float(cross_entropy(full[1:3], torch.tensor([7, 8]))), rel=1e-5
    )


@given(st.lists(st.lists(st.integers(1, 90), min_size=1, max_size=3), min_size=1, max_size=3))
def test_rows_of_every_length_have_one_of_few_widths_and_nothing_more_to_learn(
    sizes: list[list[int]],
) -> None:
    rows = batch([tuple(Example((1,) * size, (2,) * size) for size in row) for row in sizes])
    longest = max(map(sum, sizes))
    width = rows["input_ids"].shape[1]
    assert width % 64 == 0
    assert longest <= width < longest + 64
    assert [int((row != IGNORED).sum()) for row in rows["labels"]] == list(map(sum, sizes))


def test_a_leak_would_be_seen(model: Any) -> None:
    rows = batch([tuple(map(example, row)) for row in ROWS])
    width = rows["input_ids"].shape[1]
    rows["position_ids"] = torch.arange(width).repeat(len(ROWS), 1)  # each row as one text
    with torch.no_grad():
        leaked = float(model(**rows).loss)
    assert leaked != pytest.approx(alone(model, ROWS), rel=1e-3)


@settings(max_examples=5, deadline=None)
@given(
    st.lists(
        st.lists(
            st.lists(st.integers(0, VOCABULARY - 1), min_size=2, max_size=9),  # two: one token has no loss
            min_size=1,
            max_size=4,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_however_texts_are_laid_into_rows_the_loss_is_theirs(rows: list[list[list[int]]]) -> None:
    model = build("gemma3", "sdpa")
    assert packed(model, rows) == pytest.approx(alone(model, rows), rel=1e-4)
