"""A causal language model of transformers, and a LoRA adapter on it, as they lie on this disk."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import torch
import transformers
from peft import PeftConfig, PeftModel
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from transformers.integrations import is_deepspeed_zero3_enabled

from mozi_engine import files
from mozi_engine.errors import ModelError

Precision = Literal["auto", "float32", "bfloat16", "nf4"]

# What reading weights that are damaged, or no weights, raises.
_DAMAGE = (OSError, EOFError, RuntimeError, SafetensorError, TypeError, UnpicklingError, ValueError)

# For what transformers loads: nothing is fetched, no code beside the weights is run, and nobody is asked to.
HERE = {"local_files_only": True, "trust_remote_code": False}

_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")  # the second is PEFT's before 0.5
_BASE = "base.json"  # beside the adapter's own files: what it was made on

# What goes wrong is raised; what else it tells is not for mozi's users.
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")


def device() -> str:
    """Where models run: the GPU where there is one; of several, that which torchrun gave this process."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"


def model(name: str | Path, precision: Precision = "auto") -> Any:
    """The model of that folder or hub name, which is on this disk already; "auto" is its own precision.

    "nf4" is QLoRA's: 4-bit weights, doubly quantised, computing in bfloat16. Raises ModelError.
    """
    options: dict[str, Any] = {"dtype": precision, **HERE, "device_map": device()}
    divided = is_deepspeed_zero3_enabled()
    if divided:
        del options["device_map"]  # each process loads its share, where DeepSpeed wants it
    if precision == "nf4":
        options["dtype"] = "bfloat16"
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
            bnb_4bit_quant_storage=torch.bfloat16 if divided else torch.uint8,  # ZeRO-3 divides floats only
        )
    try:
        return AutoModelForCausalLM.from_pretrained(str(name), **options)
    except ImportError as error:
        raise ModelError("4-bit weights need bitsandbytes", hint="pip install 'mozi[train]'") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise unusable(name, f"does not load: {' '.join(str(error).split())[:200]}", error) from error


def unusable(name: str | Path, why: str, error: Exception) -> ModelError:
    """What to raise where transformers cannot use the model: `why`, or that it comes with its own code."""
    if "trust_remote_code" in str(error):
        hint = "mozi models convert makes LLaMA's of LLaMA-7B and Baichuan-7B; give the folder that it wrote"
        return ModelError(f"{name} comes with code of its own, which mozi does not run", hint=hint)
    return ModelError(f"{name} {why}", hint="give the folder of a transformers model")


def adapter(folder: Path) -> Path:
    """The adapter in a run's folder, or the folder itself. Raises ModelError when there is none."""
    found = next((path for path in (folder / "adapter", folder) if _config(path).is_file()), None)
    if found is None:
        raise ModelError(f"{folder} holds no adapter", hint="give a run's folder, or one with an adapter")
    return found


def base(adapter: Path) -> str:
    """The name or folder of the model that the adapter was made on, as it says."""
    try:
        return str(json.loads(_config(adapter).read_bytes())["base_model_name_or_path"])
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{adapter} does not tell its base", hint="name it with --model") from error


def adapted(model: Any, adapter: Path, *, dropout: float | None = None) -> Any:
    """The model with the adapter on it, to be trained on where a dropout is given, else to be read only.

    Raises ModelError when it was made for another base.
    """
    hint = "name the adapter's own base with --model"
    wrong = f"the adapter {adapter} was made for another base"
    told = adapter / _BASE
    if told.is_file() and json.loads(told.read_bytes())["fingerprint"] != fingerprint(model):
        raise ModelError(f"{wrong}, {base(adapter)}", hint=hint)
    lora(adapter)  # or PEFT would ask the hub for weights that are not there
    try:
        config = PeftConfig.from_pretrained(str(adapter))
        if dropout is not None:
            config.lora_dropout = dropout
        return PeftModel.from_pretrained(model, str(adapter), is_trainable=dropout is not None, config=config)
    except (RuntimeError, ValueError, KeyError) as error:
        raise ModelError(wrong, hint=hint) from error


def lora(adapter: Path) -> dict[str, Tensor]:
    """The adapter's weights by PEFT's names, of a safetensors file or a pickle of tensors only.

    Raises ModelError when there is neither, or something else in it.
    """
    path = next((each for name in _WEIGHTS if (each := adapter / name).is_file()), None)
    if path is None:
        raise ModelError(f"{adapter} holds no weights", hint=f"it should hold {' or '.join(_WEIGHTS)}")
    return tensors(path)


def tensors(path: Path) -> dict[str, Tensor]:
    """What is in a safetensors file, or in a pickle (.bin) of tensors only. Raises ModelError."""
    try:
        if path.suffix == ".bin":
            return dict(torch.load(path, map_location="cpu", mmap=True, weights_only=True))
        return dict(load_file(path))
    except _DAMAGE as error:
        line = " ".join(str(error).split())[:200]
        raise ModelError(f"{path} cannot be read: {line}", hint="is it whole? fetch it again") from error


@contextmanager
def kept(out: Path) -> Iterator[Path]:
    """Where to write: what stands there when nothing was raised is then at `out`, and else nowhere.

    Raises ModelError when something is at `out` already, DataError when the disk refuses.
    """
    if out.exists():
        raise ModelError(f"{out} is there already", hint="name another place")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
            yield (part := Path(folder, out.name))
            part.rename(out)
    except OSError as error:
        raise files.unwritable(out, error) from error
    except SafetensorError as error:
        raise ModelError(f"{out} cannot be written: {error}", hint="is the disk full?") from error


def remember_base(model: Any, adapter: Path) -> None:
    """Write down which weights the adapter was made on."""
    (adapter / _BASE).write_text(json.dumps({"fingerprint": fingerprint(model)}) + "\n", "utf-8")


def fingerprint(model: Any) -> str:
    """What tells a model's weights from another's at any precision: from its embeddings, never quantised."""
    weight = model.get_input_embeddings().weight
    with whole([weight]):
        rows = weight[:64].detach().to("cpu", torch.bfloat16)
        shape = tuple(weight.shape)
    return hashlib.sha256(f"{shape}".encode() + rows.view(torch.uint8).numpy().tobytes()).hexdigest()


def whole(weights: Sequence[Any]) -> AbstractContextManager[object]:
    """While it lasts, each process has all of those weights that ZeRO divides; every process must ask."""
    divided = [weight for weight in weights if hasattr(weight, "ds_id")]
    if not divided:
        return nullcontext()
    import deepspeed

    gathered: AbstractContextManager[object] = deepspeed.zero.GatheredParameters(divided)
    return gathered


def digest(folder: str | Path) -> str:
    """Where a model's weights lie and when they were written; for a name on the hub, the name."""
    files = sorted(Path(folder).glob("*.safetensors"))
    written = (f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files)
    return hashlib.sha256("\n".join((str(folder), *written)).encode()).hexdigest()


def _config(folder: Path) -> Path:
    return folder / "adapter_config.json"
