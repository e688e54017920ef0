"""A model that comes with Python of its own, as Baichuan-7B was published, is never run, nor is anyone asked."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("omegaconf")

from mozi_engine.errors import ModelError
from mozi_engine.evaluation.language_model import LanguageModel
from mozi_engine.generation import loading, template
from mozi_engine.training.memory.footprint import Footprint
from mozi_engine.training.recipe import Lora, Weights
from tests import tiny_llama


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A whole model, whose config and tokenizer name classes of a file beside them."""
    folder = tiny_llama.build(tmp_path / "published")
    (folder / "own.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n")
    own = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    change(folder / "config.json", model_type="own", auto_map=own)
    own_tokenizer = {"AutoTokenizer": ["own.Tokenizer", None]}
    change(folder / "tokenizer_config.json", tokenizer_class="OwnTokenizer", auto_map=own_tokenizer)
    return folder


def change(path: Path, **keys: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


@pytest.mark.parametrize(
    "load",
    [
        template.tokenizer,
        loading.model,
        lambda folder: Footprint(str(folder), Weights.float32, Lora(4, 8)),
        lambda folder: LanguageModel(str(folder)),
    ],
    ids=["tokenizer", "model", "footprint", "measured"],
)
def test_its_code_is_not_run_and_nobody_is_asked(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Callable[[Path], object]
) -> None:
    asked: list[str] = []

    def yes(question: str = "") -> str:
        asked.append(question)
        return "y"

    monkeypatch.setattr(builtins, "input", yes)
    with pytest.raises(ModelError) as error:
        load(published)
    assert "code of its own" in error.value.message
    assert "\n" not in error.value.message + error.value.hint
    assert "mozi models convert" in error.value.hint
    assert not asked
    assert not (tmp_path / "executed").exists()
