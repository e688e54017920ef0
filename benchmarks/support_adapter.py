"""Train an adapter on screened support dialogues, and write down what it changes on dialogues held out.

    python benchmarks/support_adapter.py smile.jsonl BASE FOLDER --report docs/results/sft-support.md

BASE is a transformers model's folder, FOLDER where everything is made: the prepared dialogues (those that
the crisis rules flag set apart, a tenth held out), the run, the scores. It is the same as three commands,
which are in the report. Started again, it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import commands
from encoder import processor


def main() -> None:
    """Prepare, train, measure, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dialogues", type=Path)
    parser.add_argument("base", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--length", type=int, default=512, help="tokens of a row")
    parser.add_argument("--limit", type=int, default=60, help="replies held out that are measured")
    parser.add_argument("--report", type=Path, required=True)
    options = parser.parse_args()
    made = steps(options)
    commands.carry_out(made)
    options.report.write_text(report(options, made), "utf-8")


def steps(options: argparse.Namespace) -> commands.Steps:
    """What each command leaves behind, and the command."""
    data, run, scores = (options.folder / name for name in ("dialogues", "run", "scores"))
    prepare = ["prepare", "dialogues", str(options.dialogues), str(data), "--held-out", "0.1"]
    train = ["train", "sft", "sft-support-small", f"base={options.base}", "--out", str(run)]
    train += [f"data.train=[{data}/train/sft.jsonl]", f"data.evaluate=[{data}/test/sft.jsonl]", "cut=1.0"]
    train += [f"length={options.length}", f"steps={options.steps}", "accumulate=4", "evaluate_every=0"]
    train += commands.resumed(run)
    measure = ["eval", "dialogues", str(data / "test" / "sft.jsonl"), str(scores), "--score-only"]
    measure += ["--limit", str(options.limit), "--perplexity", str(options.base), "--adapter", str(run)]
    return [
        (data / "manifest.json", prepare),
        (run / "adapter" / "adapter_config.json", train),
        (scores / "report.json", measure),
    ]


def report(options: argparse.Namespace, made: commands.Steps) -> str:
    """The page, from the files that the commands left."""
    folder = options.folder
    flagged = len((folder / "dialogues" / "flagged.jsonl").read_text("utf-8").splitlines())
    train, test = (_lines(folder / "dialogues" / name / "sft.jsonl") for name in ("train", "test"))
    losses, held_out = (commands.measured(folder / "run", name) for name in ("loss", "held_out_loss"))
    tables = json.loads((folder / "scores" / "report.json").read_text("utf-8"))["tables"]
    told = commands.told(made, (options.dialogues, options.base, folder))
    return f"""# An adapter on support dialogues

Written by `benchmarks/support_adapter.py` from the run's own files; {processor()}, {os.cpu_count()} cores.

{told}

{flagged} dialogues were flagged by the crisis rules and set apart; {train} train, {test} are held out.
{len(losses)} steps of 4 rows of {options.length} tokens; the loss a learned token goes from {losses[0]:.3f}
in the first to {losses[-1]:.3f} in the last. On what is held out it is {held_out[0]:.3f} before
and {held_out[-1]:.3f} after.

| | {" | ".join(score["name"] for score in tables[-1]["scores"])} |
|---|{"---|" * len(tables[-1]["scores"])}
{chr(10).join(_row(table) for table in tables if table["name"] in ("base", "adapter"))}

Perplexity of the counsellor's own replies, given what was said before, by `mozi eval dialogues`.
"""


def _lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def _row(table: dict[str, Any]) -> str:
    return f"| {table['name']} | {' | '.join(_score(each) for each in table['scores'])} |"


def _score(score: dict[str, Any]) -> str:
    low, high = score["interval"] or (score["value"],) * 2
    return f"{score['value']:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
