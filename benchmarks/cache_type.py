"""mozi with keys and values of another type, for what that does to its answers.

    python benchmarks/cache_type.py q8_0 eval qasper leval-dev.json runs/dev-q8 --evidence full
    mozi eval compare runs/dev-whole runs/dev-q8

Any command of mozi's follows the type (f16, q8_0, q4_0, …). Attention is llama.cpp's flash attention, which
types other than f16 need. What the model remembers lies in a folder of its own while the command runs.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import xllamacpp

from mozi_cli.main import main
from mozi_engine.files import data_dir


def served(kind: str) -> Any:
    """A server of llama.cpp, with keys and values of this type."""
    plain = xllamacpp.Server

    def serve(params: Any) -> Any:
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED
        params.cache_type_k = params.cache_type_v = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{kind.upper()}")
        return plain(params)

    return serve


if __name__ == "__main__":
    models = data_dir() / "models"
    with tempfile.TemporaryDirectory() as home:
        Path(home, "data").mkdir()
        Path(home, "data", "models").symlink_to(models)
        os.environ["MOZI_HOME"] = home
        xllamacpp.Server = served(sys.argv.pop(1))
        main()
