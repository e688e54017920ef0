"""How fast `mozi prepare arxiv` is, and what memory it takes, for corpora that grow.

    python benchmarks/prepare.py TEXT.jsonl TOKENIZER.json [--megawords 0.5 1 2 4] [--a-file 40]

Documents of 6,000 words are made of three-word runs of TEXT's (RedPajama's form), so that they read like
it to a tokenizer and share no longer runs with each other. Each corpus is prepared by one worker in a
process of its own; tokens a second and core are by that process's CPU time beyond what the smallest corpus
took, as starting is paid once and other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mozi_engine.datasets import arxiv
from mozi_engine.datasets.manifest import Manifest

WORDS = 6000  # a document
GOAL = 4e9  # tokens: what the original was trained on


def make(words: list[str], documents: int, a_file: int, folder: Path) -> None:
    """So many documents, so many of them a file."""
    chance = random.Random(0)  # noqa: S311
    for first in range(0, documents, a_file):
        with (folder / f"{first:06d}.jsonl").open("w") as file:
            for number in range(first, min(first + a_file, documents)):
                starts = (chance.randrange(len(words) - 3) for _ in range(WORDS // 3))
                text = " ".join(word for start in starts for word in words[start : start + 3])
                file.write(json.dumps({"text": text, "meta": {"arxiv_id": f"made/{number:07d}"}}) + "\n")


def measure(raw: str, out: str, tokenizer: str) -> None:
    """Prepare in this process, and print its tokens, seconds, CPU seconds and peak memory in MB."""
    began = time.monotonic(), time.process_time()
    *_, made = arxiv.prepare(Path(raw), Path(out), arxiv.Options(tokenizer))
    assert isinstance(made, Manifest)
    tokens = sum(made.counts.get(split, {}).get("tokens", 0) for split in ("train", "held_out"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([tokens, time.monotonic() - began[0], time.process_time() - began[1], peak]))


def main() -> None:
    """Prepare corpora of growing size, and tell what 4 billion tokens would take."""
    if sys.argv[1] == "measure":
        return measure(*sys.argv[2:5])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("tokenizer")
    parser.add_argument("--megawords", type=float, nargs="+", default=[0.5, 1, 2, 4])
    parser.add_argument(
        "--a-file", type=int, default=40, help="documents a file; at most 100 files are tasks"
    )
    options = parser.parse_args()
    words = [w for line in options.text.open() for w in json.loads(line)["text"].split() if "%" not in w]
    first: tuple[int, float] | None = None
    print("   tokens  wall s   CPU s  tokens/s/core  peak MB")
    for size in options.megawords:
        with tempfile.TemporaryDirectory() as name:
            raw, out = Path(name, "raw"), Path(name, "out")
            raw.mkdir()
            make(words, int(size * 1e6 / WORDS), options.a_file, raw)
            command = [sys.executable, __file__, "measure", raw, out, options.tokenizer]
            ran = subprocess.run(command, capture_output=True, text=True, check=True)
        tokens, wall, cpu, peak = json.loads(ran.stdout.splitlines()[-1])
        first = first or (tokens, cpu)
        rate = (tokens - first[0]) / max(cpu - first[1], 1e-9)
        print(f"{tokens:9,d} {wall:7.1f} {cpu:7.1f} {rate:14,.0f} {peak:8.0f}", flush=True)
    for cores in (8, 64):
        print(f"{GOAL:.0e} tokens on {cores} such cores: {GOAL / rate / cores / 3600:.1f} hours")
    return None


if __name__ == "__main__":
    main()
