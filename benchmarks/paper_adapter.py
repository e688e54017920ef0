r"""Train an adapter on QASPER's questions, and write down what it changes in the answers to others.

    python benchmarks/paper_adapter.py RAW BASE qasper-test-a-v0.3.json.gz BEFORE.jsonl FOLDER \
        --report docs/results/sft-paper.md

RAW is a folder with QASPER's dev and train files, BASE a transformers folder of the default model (made by
`benchmarks/base.py`), BEFORE its answers as `benchmarks/packed.py` packs them, FOLDER where everything is
made: the data, the run, the exported adapter, its answers. It is the same as the commands in the report.
Started again, it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

import commands
import packed
import qasper
from encoder import processor

from mozi_engine.evaluation import report as reports
from mozi_engine.evaluation.bootstrap import Difference

COLUMNS = {
    "official": qasper.OFFICIAL,
    "mozi-report": qasper.MOZI,
    "not in the paper": qasper.ABSENT,
}


def main() -> None:
    """Prepare, train, export, answer, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("raw", "base", "test", "before", "folder"):
        parser.add_argument(name, type=Path)
    parser.add_argument(
        "--passages", type=int, default=1, help="passages an example shows; gold is never left out"
    )
    parser.add_argument("--limit", type=int, default=0, help="questions that are answered; 0: all")
    parser.add_argument("--report", type=Path, required=True)
    given = parser.parse_args()
    before = given.folder / "before"
    if not before.exists():
        packed.unpack(given.before, given.test, before)
    made = steps(given)
    commands.carry_out(made)
    given.report.write_text(report(given, made), "utf-8")


def steps(given: argparse.Namespace) -> commands.Steps:
    """What each command leaves behind, and the command."""
    data, run, adapter, after = (given.folder / name for name in ("data", "run", "paper.gguf", "after"))
    prepare = ["prepare", "qasper", str(given.raw), str(data), "--withheld", "0.15"]
    prepare += ["--passages", str(given.passages)]
    train = ["train", "sft", "sft-paper-small", f"base={given.base}", "--out", str(run)]
    train += [f"data.train=[{data}/train/sft.jsonl,{data}/dev/sft.jsonl]", *commands.resumed(run)]
    answer = ["eval", "qasper", str(given.test), str(after), "--adapter", str(adapter)]
    answer += ["--limit", str(given.limit)]
    return [
        (data / "manifest.json", prepare),
        (run / "adapter" / "adapter_config.json", train),
        (adapter, ["export", "gguf", str(run), str(adapter)]),
        (
            given.folder / "before" / "report.json",
            ["eval", "qasper", str(given.test), str(given.folder / "before"), "--score-only"],
        ),
        (after / "report.json", answer),
    ]


def report(given: argparse.Namespace, made: commands.Steps) -> str:
    """The page, from the files that the commands left."""
    run = given.folder / "run"
    losses = commands.measured(run, "loss")
    examples = sum(_lines(given.folder / "data" / name / "sft.jsonl") for name in ("train", "dev"))
    memory = json.loads((run / "memory.json").read_text("utf-8"))
    predicted, measured = memory["predicted"]["total"] / 1e9, memory["measured"] / 1e9
    told = commands.told(made, (given.raw, given.base, given.test, given.folder))
    return f"""# An adapter on questions about papers

Written by `benchmarks/paper_adapter.py` from the run's own files; {processor()}, {os.cpu_count()} cores.

{told}

{examples} examples, of QASPER's dev questions at hand and of its ten train papers; no test paper is
among them. {len(losses)} steps; the loss a learned token is {_mean(losses[:10]):.3f} over the first ten and
{_mean(losses[-10:]):.3f} over the last ten. Memory: {predicted:.1f} GB predicted, {measured:.1f} GB measured.

Percent, with 95% intervals of the paired difference, by bootstrap over papers.

{_tables(given.folder)}"""


def _lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _tables(folder: Path) -> str:
    before, after = (reports.read(folder / name / "report.json") for name in ("before", "after"))
    parts = []
    for comparison in reports.compare(before, after):
        rows = {item.name: item for item in comparison.differences}
        wanted = [rows[name] for name in COLUMNS.get(comparison.name, ()) if name in rows]
        head = (
            f"## {comparison.name}\n\n| | before | after | difference | p | of |\n|---|---|---|---|---|---|\n"
        )
        parts.append(head + "".join(map(_row, wanted)))
    return "\n".join(parts)


def _row(item: Difference) -> str:
    low, high = (f"{bound * 100:+.1f}" for bound in item.interval)
    before, after = item.first * 100, item.second * 100
    change = f"{after - before:+.1f} ({low} to {high})"
    return f"| {item.name} | {before:.1f} | {after:.1f} | {change} | {item.p:.4f} | {item.n} |\n"


if __name__ == "__main__":
    main()
