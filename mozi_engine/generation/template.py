"""Conversations as a model's own chat template writes them: the engine and the trainings render alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from transformers import AutoTokenizer

from mozi_engine.errors import ModelError
from mozi_engine.generation import loading
from mozi_engine.types import Turn

# For a base model, which has none: roles by name, an answer ended by the end token.
PLAIN = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ message['role'] | capitalize }}:\n{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:\\n' }}{% endif %}"
)


def tokenizer(model: str | Path) -> Any:
    """The tokenizer of a model on this disk: its folder, or its name on the hub. No remote code is run.

    One without a chat template is given PLAIN. Raises ModelError when there is none, or it ends no text.
    """
    try:
        found = AutoTokenizer.from_pretrained(str(model), **loading.HERE)
    except (OSError, ValueError) as error:
        raise loading.unusable(model, "has no tokenizer on this disk", error) from error
    if found.eos_token_id is None:
        raise ModelError(
            f"the tokenizer of {model} has no end token", hint="set eos_token in its tokenizer_config.json"
        )
    if not found.chat_template:
        found.chat_template = PLAIN
    return found


def begin(tokenizer: Any) -> tuple[int, ...]:
    """The token that the tokenizer itself puts before a text, if it does; without it, Gemma is at a loss."""
    first: int = tokenizer("a").input_ids[0]
    return (first,) if first == tokenizer.bos_token_id else ()


def render(tokenizer: Any, turns: Sequence[Turn], *, asking: bool = True) -> str:
    """The conversation as text; `asking` ends it where the model's answer begins.

    A template that knows no system role (Gemma's) is given its text at the head of the first question.
    """
    try:
        return _applied(tokenizer, turns, asking)
    except TemplateError:
        if len(turns) < 2 or turns[0].role != "system":
            raise
        system, first, *rest = turns
        return _applied(tokenizer, [Turn(first.role, f"{system.text}\n\n{first.text}"), *rest], asking)


def _applied(tokenizer: Any, turns: Sequence[Turn], asking: bool) -> str:
    messages = [{"role": turn.role, "content": turn.text} for turn in turns]
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=asking)
    return text


def ids(tokenizer: Any, text: str) -> list[int]:
    """The text's tokens, none added."""
    found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return found
