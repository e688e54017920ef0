"""mozi with keys and values of another type, for what that does to its answers.

    python benchmarks/cache_type.py q8_0 eval qasper leval-dev.json runs/dev-q8 --evidence full
    python benchmarks/cache_type.py f16 eval qasper leval-dev.json runs/dev-f16 --evidence full
    mozi eval compare runs/dev-f16 runs/dev-q8

Commands that load the model in their own process (`eval`, `chat`, `read`) follow the type (f16, q8_0, …).
Attention is llama.cpp's flash attention, which types other than f16 need. Settings are the defaults, and what
the model remembers lies in a folder of its own, while the command runs.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from mozi_engine.generation import llamacpp  # isort: skip  before xllamacpp: how its threads wait

import xllamacpp

from mozi_cli.main import main
from mozi_engine.files import data_dir


def served(kind: str) -> Any:
    """A server of llama.cpp, with keys and values of this type."""
    plain = xllamacpp.Server

    def serve(params: Any) -> Any:
        enabled = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED
        params.flash_attn_type = enabled
        params.cache_type_k = params.cache_type_v = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{kind.upper()}")
        return plain(params)

    return serve


if __name__ == "__main__":
    models = data_dir() / "models"
    with tempfile.TemporaryDirectory() as home:
        Path(home, "data").mkdir()
        Path(home, "data", "models").symlink_to(models)
        os.environ["MOZI_HOME"] = home
        llamacpp.xllamacpp.Server = served(sys.argv.pop(1))
        main()
