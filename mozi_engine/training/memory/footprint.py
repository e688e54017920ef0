"""What a step of training keeps in memory, counted on tensors that have shapes and no values."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import torch
from peft import get_peft_model
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary
from transformers import AutoConfig, AutoModelForCausalLM

from mozi_engine.generation import loading
from mozi_engine.training import lora as adapters
from mozi_engine.training.recipe import Lora, Weights


@dataclass(frozen=True, slots=True)
class Parameters:
    """Numbers of a model's parameters: in linear layers but the last, elsewhere, and in the adapter."""

    linear: int
    other: int
    adapter: int


@dataclass(frozen=True, slots=True)
class Peak:
    """Bytes that a forward and a backward need beside the parameters and their gradients, at the most.

    `logits` is what the last layer and the loss add to the `activations` that the layers left for backward.
    """

    activations: int
    logits: int


class Footprint:
    """A model with its adapter, from the base's config alone; nothing is loaded, nothing is computed."""

    def __init__(self, base: str, weights: Weights, lora: Lora) -> None:
        """Raises ModelError for a base whose config is not on this disk."""
        config = _config(base)
        computed = torch.float32 if weights is Weights.float32 else torch.bfloat16
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, dtype=computed)
            model.config.use_cache = False
            quantised = _linear(model)
            if weights is Weights.nf4:
                _as_in_qlora(model, quantised)
            self._model = adapters.mixed(get_peft_model(model, adapters.config(lora)), weights)
        self._mode = FakeTensorMode()
        total = sum(each.numel() for each in self._model.parameters())
        adapter = sum(each.numel() for each in self._model.parameters() if each.requires_grad)
        linear = sum(layer.weight.numel() for layer in quantised)
        self.parameters = Parameters(linear, total - adapter - linear, adapter)
        with self._mode:
            _onto_processor(self._model)

    def step(self, rows: int, tokens: int, targets: int, *, checkpointing: bool) -> Peak:
        """The peak of one forward and backward over rows of so many tokens each, so many of them learned.

        Two depths are counted, one layer and two: each further one leaves as much as the second did.
        """
        model = self._model.train()
        base = model.get_base_model()
        if checkpointing:
            base.activation_checkpointing_enable({"use_reentrant": False, "preserve_rng_state": False})
            base.enable_input_require_grads()
        depth = base.config.num_hidden_layers
        one, two = (self._count(layers, rows, tokens, targets) for layers in (1, min(2, depth)))
        base.config.num_hidden_layers = depth
        if checkpointing:
            base.disable_input_require_grads()
            base.activation_checkpointing_disable()
        kept, head, backward = (
            second + (second - first) * max(depth - 2, 0) for first, second in zip(one, two, strict=True)
        )
        logits = max(head - kept, 0)
        return Peak(max(head, backward) - logits, logits)

    def _count(self, layers: int, rows: int, tokens: int, targets: int) -> tuple[int, int, int]:
        """Bytes when the last layer begins; the most until its gradient is known; and the most after that."""
        model = self._model
        base = model.get_base_model()
        base.config.num_hidden_layers = layers  # transformers' models run through as many as this says
        with self._mode:
            ids = torch.zeros(rows, tokens, dtype=torch.long)
            for each in model.parameters():
                each.grad = torch.empty_like(each) if each.requires_grad else None
            live = _Live([*model.parameters(), *model.buffers(), *(p.grad for p in model.parameters())])
            with live:
                hook = base.get_output_embeddings().register_forward_pre_hook(live.enter_head)
                learned = {"logits_to_keep": torch.arange(targets), "shift_labels": ids[:, :targets]}
                model(input_ids=ids, position_ids=ids, labels=ids, **learned).loss.backward()
                hook.remove()
        return live.kept, live.head_peak, live.peak


def context(base: str) -> int | None:
    """How many tokens the base was made to read at once, if its config says so. Raises ModelError."""
    found: int | None = getattr(_config(base).get_text_config(), "max_position_embeddings", None)
    return found


def _config(base: str) -> Any:
    try:
        return AutoConfig.from_pretrained(base, **loading.HERE)
    except (OSError, ValueError) as error:
        raise loading.unusable(base, "has no config that can be read", error) from error


class _Live(TorchDispatchMode):  # type: ignore[misc]
    """Counts the bytes of tensors while something refers to them, and the most there were at once.

    `kept` is what there was when the last layer began; `head_peak` the most until its gradient was known.
    """

    def __init__(self, known: list[Tensor | None]) -> None:
        super().__init__()
        self.now = self.peak = self.kept = self.head_peak = 0
        self._seen = WeakIdKeyDictionary()
        for tensor in known:
            if tensor is not None:
                self._seen[tensor.untyped_storage()] = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        self.peak = max(self.peak, self.now)
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage in self._seen:
            return
        size = storage.nbytes()
        self._seen[storage] = size
        self.now += size
        weakref.finalize(storage, self._free, size)

    def _free(self, size: int) -> None:
        self.now -= size

    def enter_head(self, module: nn.Module, inputs: tuple[Tensor]) -> None:  # noqa: ARG002  what a hook is given
        self.kept = self.now
        inputs[0].register_hook(self._leave_head)

    def _leave_head(self, gradient: Tensor) -> None:  # noqa: ARG002
        self.head_peak, self.peak = self.peak, self.now


def _linear(model: Any) -> list[nn.Linear]:
    """The layers that LoRA adapts and nf4 quantises."""
    last = model.get_output_embeddings()
    return [each for each in model.modules() if isinstance(each, nn.Linear) and each is not last]


class _Quantised(nn.Linear):  # type: ignore[misc]
    """Computes in bfloat16 and answers in what it was asked in, as a layer of bitsandbytes does."""

    def forward(self, asked: Tensor) -> Tensor:
        return functional.linear(asked.to(self.weight.dtype), self.weight, self.bias).to(asked.dtype)


def _as_in_qlora(model: nn.Module, quantised: list[nn.Linear]) -> None:
    """What PEFT's prepare_model_for_kbit_training does: what is not quantised becomes float32."""
    inside = {id(parameter) for layer in quantised for parameter in layer.parameters()}
    for parameter in model.parameters():
        parameter.requires_grad = False
        if id(parameter) not in inside:
            parameter.data = parameter.data.to(torch.float32)
    for layer in quantised:
        layer.__class__ = _Quantised


def _onto_processor(model: nn.Module) -> None:
    """Replace what lies on the meta device, where attention takes a path that processors and GPUs do not."""
    made: dict[int, Tensor] = {}

    def replaced(tensor: Tensor) -> Tensor:
        if id(tensor) not in made:
            empty = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
            fresh = nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty
            made[id(tensor)] = fresh
        return made[id(tensor)]

    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            tensors.update({name: replaced(each) for name, each in tensors.items() if each is not None})
