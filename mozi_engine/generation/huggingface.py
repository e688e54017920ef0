"""Generation by transformers, in this process: a model's folder, with a LoRA adapter on it or without."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor

from mozi_engine.errors import ModelError
from mozi_engine.generation import decoding, loading, template
from mozi_engine.generation.keyvalues import State
from mozi_engine.generation.loading import Precision
from mozi_engine.prompts import begins
from mozi_engine.types import GenerationSettings, Prefill, Turn, Usage

BATCH = 64  # tokens of the prompt read at once; between two batches it can be stopped, and progress is told

_END = "\n\n\u241c"  # what no paper says: where a beginning ends in the rendered prompt


class HuggingFace:
    """A causal language model of transformers, loaded. Keeps types.Remembering and types.Anticipating."""

    def __init__(
        self,
        model: str | Path,
        *,
        name: str,
        context: int,
        states: Path,
        adapter: Path | None = None,
        precision: Precision = "auto",
        threads: int = 0,
    ) -> None:
        """Load the model from this disk: seconds, and memory of about its weights.

        `context` is in tokens, and cut to what the model was made for; `adapter` is PEFT's folder or a run's;
        `threads` of 0 leaves the choice to torch; `states` is the folder that `save` and `restore` use.
        Raises ModelError.
        """
        if threads:
            torch.set_num_threads(threads)
        self._tokenizer = template.tokenizer(model)
        loaded = loading.model(model, precision)
        if adapter:
            adapter = loading.adapter(adapter)
            loaded = loading.adapted(loaded, adapter)
        self._model = loaded.eval()
        self.name = name
        self.context = min(context, getattr(loaded.config, "max_position_embeddings", context))
        self.states = states
        weights = " ".join(loading.digest(folder) for folder in (model, adapter) if folder)
        self.identity = f"{name} {weights} torch {torch.__version__} {precision}"
        self._ends = _ends(self._model, self._tokenizer)
        self._paper, self._passages = State(self._model), State(self._model)
        self._beginning: Sequence[Turn] = ()

    def stream(
        self, messages: Sequence[Turn], settings: GenerationSettings
    ) -> Generator[str | Prefill | Usage, None, None]:
        """Progress of the prompt, then pieces of the reply, then the tokens used.

        What the prompt has in common with the one before it is not read again. Raises ModelError when the
        prompt does not fit the context.
        """
        state = self._state_of(messages)
        prompt = template.ids(self._tokenizer, template.render(self._tokenizer, messages))
        room = min(settings.max_new_tokens, self.context - len(prompt))
        if room <= 0:
            raise ModelError(
                f"the model stopped: {len(prompt)} tokens do not fit its context of {self.context}",
                hint="ask with fewer passages (-k), or raise `context` in settings.toml",
            )
        if settings.penalty_alpha and not state.forks:
            raise ModelError(
                f"contrastive search needs full attention, which {self.name} has not",
                hint="leave out --penalty-alpha",
            )
        logits = yield from self._read(state, prompt)
        chosen: list[int] = []
        shown = ""
        for token in self._tokens(state, logits, settings, room):
            chosen.append(token)
            text = self._tokenizer.decode(chosen, skip_special_tokens=True)
            if len(text) > len(shown) and not text.endswith("\ufffd"):  # half a character waits for the rest
                yield text[len(shown) :]
                shown = text
        yield Usage(len(prompt), len(chosen))

    def count_tokens(self, text: str) -> int:
        """How many tokens the text is to this model."""
        return len(template.ids(self._tokenizer, text))

    def read(self, beginning: Sequence[Turn], held: Callable[[], bool]) -> Generator[Prefill, None, None]:
        """Read the beginning of prompts to come, BATCH tokens at a time."""
        self._beginning = tuple(beginning)
        return self.anticipate(beginning, held)

    def anticipate(
        self, messages: Sequence[Turn], held: Callable[[], bool]
    ) -> Generator[Prefill, None, None]:
        """Read what a prompt to come begins with, BATCH tokens at a time."""
        *before, last = messages
        marked = template.render(self._tokenizer, [*before, Turn(last.role, last.text + _END)])
        tokens = template.ids(self._tokenizer, marked.partition(_END)[0])
        for step in self._read(self._state_of(messages), tokens):
            yield step
            if held():
                return

    def save(self, name: str) -> None:
        """Write the state after what was read to `states/name`."""
        try:
            self.states.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._paper.save(self.states / name)
        except (OSError, SafetensorError) as error:
            raise ModelError(f"the model's state cannot be kept: {error}", hint="mozi doctor") from error

    def restore(self, name: str, beginning: Sequence[Turn]) -> None:
        """Take up `states/name`, written after reading `beginning` or a part of it."""
        try:
            self._paper.restore(self.states / name)
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            raise ModelError(f"the model's state cannot be taken up: {error}", hint="mozi doctor") from error
        self._beginning = tuple(beginning)

    def forget(self) -> bool:
        """Nothing to let go of: each state stands apart."""
        return False

    def _state_of(self, messages: Sequence[Turn]) -> State:
        return self._paper if begins(messages, self._beginning) else self._passages

    def _read(self, state: State, tokens: Sequence[int]) -> Generator[Prefill, None, Tensor]:
        """Have the state know the tokens; the logits of what comes next."""
        cached = known = state.share(tokens)
        while known < len(tokens):
            yield Prefill(known, len(tokens), cached)
            logits = state.read(tokens[known : known + BATCH])
            known += BATCH
        yield Prefill(len(tokens), len(tokens), cached)
        return logits

    def _tokens(self, state: State, logits: Tensor, settings: GenerationSettings, room: int) -> Iterator[int]:
        """The tokens of the reply, `room` at the most, without the one that ends it."""
        random = torch.Generator().manual_seed(settings.seed)
        for _ in range(room):
            if settings.penalty_alpha:
                token, after = _contrasted(state, logits, settings)
            else:
                token, after = decoding.sampled(logits, settings, random), None
            if token in self._ends:
                return
            yield token
            logits = state.read([token]) if after is None else after


def _contrasted(state: State, logits: Tensor, settings: GenerationSettings) -> tuple[int, Tensor]:
    """The token that contrastive search takes, now read, and the logits of the one after it."""
    chances, tokens = logits.float().softmax(-1).topk(settings.top_k or decoding.CANDIDATES)
    candidates = tokens.tolist()
    after, hidden = state.ahead(candidates)
    number = decoding.contrasted(chances, hidden, state.hidden, settings.penalty_alpha)
    state.take(number, candidates[number], hidden)
    return candidates[number], after[number]


def _ends(model: torch.nn.Module, tokenizer: object) -> frozenset[int]:
    """Every token that ends a reply: the model's own, and the tokenizer's."""
    config = getattr(model, "generation_config", None)
    ends = getattr(config, "eos_token_id", None)
    own = ends if isinstance(ends, list) else [ends]
    return frozenset(token for token in (*own, getattr(tokenizer, "eos_token_id", None)) if token is not None)
