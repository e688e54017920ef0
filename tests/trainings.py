"""Trainings of seconds on tiny_llama: what they learn from, their recipes, what they leave, and their processes."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from multiprocessing.connection import wait
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from mozi_engine.training.recipe import (
    CausalRecipe,
    ConversationData,
    CorpusData,
    Lora,
    Optim,
    PretrainRecipe,
    SftRecipe,
    Weights,
)

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from mozi_engine.training.llm.causal import Trained
    from mozi_engine.training.llm.progress import Evaluated
    from mozi_engine.training.runs.step import Step

ASKED = ["What data do they use?", "How many words are trained?", "What metric is used?", "我们使用什么图?"]
ANSWERS = ["The tree bank corpus.", "Not in the paper.", "A score in % of all.", "图模型。"]

SMALL: dict[str, Any] = {
    "lora": Lora(rank=4, alpha=8, dropout=0.1),
    "optim": Optim(lr=1e-2, warmup=0.2),
    "weights": Weights.float32,
    "length": 256,
    "batch": 2,
    "epochs": 1,
    "save_every": 4,
    "threads": 1,
}


def talks(number: int = 16) -> list[dict[str, Any]]:
    """Conversations of one to three questions and an answer, always the same."""
    random = Random(1)  # noqa: S311
    return [
        {
            "id": str(each),
            "messages": [
                {"role": "system", "content": "Read."},
                {"role": "user", "content": " ".join(random.sample(ASKED, 1 + each % 3))},
                {"role": "assistant", "content": random.choice(ANSWERS)},
            ],
        }
        for each in range(number)
    ]


def write(path: Path, records: Sequence[Any]) -> str:
    """Records as lines of JSON."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return str(path)


def sft(base: object, train: str, held_out: str = "", **changes: Any) -> SftRecipe:
    """A recipe for conversations, one a row."""
    data = ConversationData([train], [held_out] if held_out else [])
    return SftRecipe(base=str(base), data=data, **{**SMALL, "packed": False, **changes})


def pretraining(base: object, corpus: Path, **changes: Any) -> PretrainRecipe:
    """A recipe for a corpus."""
    return PretrainRecipe(base=str(base), data=CorpusData(str(corpus)), **{**SMALL, **changes})


def trained(recipe: CausalRecipe, run: Path, **options: Any) -> tuple[Trained, list[Step | Evaluated]]:
    """How the training ended, and the steps and measurements that it told of."""
    from mozi_engine.training.llm.progress import Evaluated
    from mozi_engine.training.runs.step import Step

    events: list[object] = []
    ended = _train(recipe)(recipe, run, events.append, **options)
    return ended, [event for event in events if isinstance(event, Step | Evaluated)]


def _train(recipe: CausalRecipe) -> Callable[..., Trained]:
    from mozi_engine.training.llm import finetune, pretrain

    return finetune.train if isinstance(recipe, SftRecipe) else pretrain.train


def after(steps: int) -> Callable[[], bool]:
    """Whether to stop, to be asked after each step: yes after that many."""
    asked = count(1)
    return lambda: next(asked) >= steps


def weights(run: Path) -> dict[str, Any]:
    """The adapter's, by name."""
    from safetensors.torch import load_file

    found: dict[str, Any] = load_file(run / "adapter" / "adapter_model.safetensors")
    return found


def same(first: Path, second: Path, tolerance: float = 0.0) -> bool:
    """Whether two runs left the same adapter."""
    import torch

    one, other = weights(first), weights(second)
    return one.keys() == other.keys() and all(
        torch.allclose(one[key], other[key], rtol=0, atol=tolerance) for key in one
    )


def metrics(run: Path) -> list[dict[str, float]]:
    """What it measured, a line each."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]


_NEW = multiprocessing.get_context("forkserver")
# What takes many seconds to import is imported once, by the process from which the others are forked.
_NEW.set_forkserver_preload(
    [
        "mozi_engine.training.llm.finetune",
        "mozi_engine.training.llm.pretrain",
        "torch.utils.tensorboard",
        "deepspeed",
    ]
)


def killed(recipe: CausalRecipe, run: Path, step: int) -> None:
    """Have a process of its own train, and end as by kill -9 after the step."""
    process = _started(os.environ, _train_and_die, recipe, run, step)
    process.join()
    assert process.exitcode == -signal.SIGKILL


def _train_and_die(recipe: CausalRecipe, run: Path, step: int) -> None:
    from mozi_engine.training.runs.step import Step

    def report(event: object) -> None:
        if isinstance(event, Step) and event.done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    _train(recipe)(recipe, run, report)


def together(work: Callable[..., object], *given: object) -> None:
    """Have two processes do the work, each of which is told what torchrun tells."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    ranks = ({**told, "RANK": rank, "LOCAL_RANK": rank} for rank in ("0", "1"))
    processes = going = [_started({**os.environ, **each}, work, *given) for each in ranks]
    while going:
        wait([process.sentinel for process in going])
        going = [process for process in going if process.exitcode is None]
        if any(process.exitcode for process in processes):
            for process in going:  # it would wait for the one that failed
                process.terminate()
    assert [process.exitcode for process in processes] == [0, 0]


def _started(environment: Mapping[str, str], work: Callable[..., object], *given: object) -> BaseProcess:
    process = _NEW.Process(target=_do, args=(dict(environment), work, *given), daemon=True)
    process.start()
    return process


def _do(environment: dict[str, str], work: Callable[..., object], *given: object) -> None:
    os.environ.clear()  # it is the first test's that started a process
    os.environ.update(environment)
    work(*given)
