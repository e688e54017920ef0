"""What a question's last tokens and an answer's first cost behind a long text, by attention and cache type.

    python benchmarks/attention.py MODEL.gguf [--depth 2300] [--threads 2]

Plain xllamacpp, without mozi: reads `--depth` tokens (roughly) of `docs/`, then a question of about twenty
tokens behind them, and writes twelve. One row a setting, as Markdown; each in a process of its own, for
llama.cpp keeps its memory.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from mozi_engine.generation.llamacpp import BATCH  # isort: skip  how its threads wait, too

import xllamacpp

DOCS = Path(__file__).parents[1] / "docs"
QUESTION = " Question: Which datasets are used here, and how large are they, tell me in a short answer?"
SETTINGS = (("disabled", "f16"), ("disabled", "f32"), ("enabled", "f16"), ("enabled", "q8_0"))
WRITTEN = 12


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--depth", type=int, default=2300)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print("| flash attention | keys and values | read | last tokens | written |\n|---|---|---|---|---|")
    for attention, kind in SETTINGS:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            cells = pool.submit(
                timed, options.model, options.depth, options.threads, attention, kind
            ).result()
        print(f"| {attention} | {kind} | {' | '.join(cells)} |", flush=True)


def timed(model: Path, depth: int, threads: int, attention: str, kind: str) -> tuple[str, str, str]:
    """Tokens read a second, what the question's end took, tokens written a second."""
    server = xllamacpp.Server(parameters(model, depth, threads, attention, kind))
    text = "".join(path.read_text("utf-8") for path in sorted(DOCS.rglob("*.md")))[: 4 * depth]
    read, asked = complete(server, text, 1), complete(server, text + QUESTION, WRITTEN)
    return (
        f"{read['prompt_per_second']:.1f}/s",
        f"{asked['prompt_n']} in {asked['prompt_ms'] / 1000:.2f} s",
        f"{asked['predicted_per_second']:.1f}/s",
    )


def parameters(model: Path, depth: int, threads: int, attention: str, kind: str) -> Any:
    """What mozi sets, with another attention and other keys and values."""
    chosen = xllamacpp.CommonParams()
    chosen.model.path = str(model)
    chosen.n_ctx = 2 * depth + 512
    chosen.n_parallel = 1
    chosen.n_batch = chosen.n_ubatch = BATCH
    chosen.cpuparams.n_threads = chosen.cpuparams_batch.n_threads = threads
    chosen.warmup, chosen.verbosity = False, -1
    chosen.flash_attn_type = getattr(
        xllamacpp.llama_flash_attn_type, f"LLAMA_FLASH_ATTN_TYPE_{attention.upper()}"
    )
    chosen.cache_type_k = chosen.cache_type_v = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{kind.upper()}")
    return chosen


def complete(server: Any, prompt: str, tokens: int) -> dict[str, float]:
    """The server's own timings of a completion."""
    replies: list[str] = []
    request = {"prompt": prompt, "n_predict": tokens, "temperature": 0, "ignore_eos": True}
    server.handle_completions(json.dumps(request), replies.append)
    timings: dict[str, float] = json.loads(replies[-1])["timings"]
    return timings


if __name__ == "__main__":
    main()
