"""Adapters elsewhere: merged, or as a GGUF file, and what the command checks before it keeps them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("gguf")

import torch
from typer.testing import CliRunner

from mozi_cli.adapters import app
from mozi_engine import prompts, states
from mozi_engine.errors import ModelError, MoziError
from mozi_engine.generation import engines, loading
from mozi_engine.models.gguf import shape
from mozi_engine.settings import Settings, chosen
from mozi_engine.training.adapters import export
from mozi_engine.types import GenerationSettings, Remembering, Turn
from tests import tiny_llama

ASKED = (Turn("system", "Read."), Turn("user", "What data do they use?"))


@pytest.fixture(scope="module", params=["llama", "qwen2"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base as transformers and as llama.cpp keep it, and a run: base/, base.gguf, run/."""
    found = tmp_path_factory.mktemp(request.param)
    tiny_llama.build(found / "base", family=request.param, max_position_embeddings=4096)
    tiny_llama.gguf(found / "base", found / "base.gguf")
    tiny_llama.adapter(found / "base", found / "run" / "adapter")
    return found


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("one")
    tiny_llama.build(found / "base")
    tiny_llama.gguf(found / "base", found / "base.gguf")
    tiny_llama.adapter(found / "base", found / "run" / "adapter")
    return found


def greedy(**settings: Any) -> str:
    model = engines.load(Settings(context=4096, **settings))
    said = model.stream(ASKED, GenerationSettings(max_new_tokens=8))
    return "".join(event for event in said if isinstance(event, str))


def test_a_merged_model_is_its_base_with_the_adapter(folder: Path, tmp_path: Path) -> None:
    found = export.merged(folder / "run", tmp_path / "merged")
    assert found.difference < 1e-4 < found.effect
    assert found.noise == 0
    adapted = loading.adapted(loading.model(folder / "base"), folder / "run" / "adapter").eval()
    ids = torch.arange(3, 40)[None]
    with torch.no_grad():
        first, second = adapted(ids).logits, loading.model(tmp_path / "merged").eval()(ids).logits
    assert torch.allclose(first, second, atol=1e-4)
    model = str(tmp_path / "merged")
    assert greedy(engine="torch", model=model) == greedy(engine="torch", adapter=str(folder / "run"))


def test_llama_cpp_does_with_the_adapter_what_torch_does(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.gguf"
    found = export.lora(folder / "run", out, folder / "base.gguf")
    assert found.difference < 0.02 * found.effect
    base = str(folder / "base.gguf")
    settings = chosen(model=base, adapter=str(out))
    assert settings.engine == "llamacpp"
    said = greedy(model=base, adapter=str(out))
    assert said == greedy(engine="torch", adapter=str(folder / "run"), precision="float32")
    assert said != greedy(model=base)


def test_rows_in_the_wrong_order_are_not_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"llama": (), "qwen2": ("qwen2",)}[shape(folder / "base.gguf").architecture]
    monkeypatch.setattr(export, "_PAIRED", other)
    with pytest.raises(ModelError, match="was not kept"):
        export.lora(folder / "run", tmp_path / "x.gguf", folder / "base.gguf")
    assert not list(tmp_path.glob("*x.gguf*"))


def test_a_scale_by_the_root_of_the_rank_is_kept(llama: Path, tmp_path: Path) -> None:
    tiny_llama.adapter(llama / "base", tmp_path / "run" / "adapter", use_rslora=True)
    found = export.lora(tmp_path / "run", tmp_path / "x.gguf", llama / "base.gguf")
    assert found.difference < 0.02 * found.effect


def test_what_a_model_remembers_is_not_anothers(llama: Path, tmp_path: Path) -> None:
    """The paper's state depends on the adapter it was read with: on which one, and on what is in it."""
    first, second = tmp_path / "first.gguf", tmp_path / "second.gguf"
    export.lora(llama / "run", first, llama / "base.gguf")
    shutil.copy(first, second)
    names = set()
    for adapter in ("", str(first), str(second)):
        model = engines.load(Settings(model=str(llama / "base.gguf"), adapter=adapter, context=2048))
        assert isinstance(model, Remembering)
        names.add(states.key(model.identity, prompts.PAPER))
    assert len(names) == 3
    tiny_llama.adapter(llama / "base", tmp_path / "other" / "adapter", r=2)
    first.unlink()
    export.lora(tmp_path / "other", first, llama / "base.gguf")
    changed = engines.load(Settings(model=str(llama / "base.gguf"), adapter=str(first), context=2048))
    assert isinstance(changed, Remembering)
    assert states.key(changed.identity, prompts.PAPER) not in names


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"use_dora": True}, "no place for .*magnitude"),
        ({"modules_to_save": ["lm_head"]}, "no place for .*lm_head"),
        ({"alpha_pattern": {"q_proj": 64, "k_proj": 64, "v_proj": 64}}, "was not kept"),
    ],
)
def test_what_llama_cpp_cannot_do_is_refused(
    llama: Path, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    tiny_llama.adapter(llama / "base", tmp_path / "run" / "adapter", **change)
    with pytest.raises(ModelError, match=told):
        export.lora(tmp_path / "run", tmp_path / "x.gguf", llama / "base.gguf")
    assert not (tmp_path / "x.gguf").exists()


def test_another_base_is_refused(llama: Path, tmp_path: Path) -> None:
    for name, config in (("seed", {"seed": 1}), ("shape", {"intermediate_size": 96})):
        other = tiny_llama.build(tmp_path / name, **config)
        with pytest.raises(ModelError, match=r"not kept|cannot load"):
            export.lora(llama / "run", tmp_path / "x.gguf", tiny_llama.gguf(other, tmp_path / f"{name}.gguf"))
        with pytest.raises(ModelError, match="another base"):
            export.merged(llama / "run", tmp_path / "merged", base=str(other))
    assert {path.name for path in tmp_path.iterdir()} == {"seed", "shape", "seed.gguf", "shape.gguf"}


def test_an_adapter_that_changes_nothing_cannot_be_checked(llama: Path, tmp_path: Path) -> None:
    tiny_llama.adapter(llama / "base", tmp_path / "run" / "adapter", scale=0.0)
    with pytest.raises(ModelError, match="not kept"):
        export.merged(tmp_path / "run", tmp_path / "merged")


def test_nothing_is_overwritten(llama: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(ModelError, match="there already"):
        export.merged(llama / "run", tmp_path / "there")


@pytest.mark.parametrize(
    ("adapter", "told"),
    [("nowhere.gguf", "no such file"), ("run", "as a .gguf file"), ("bad.gguf", "with the adapter bad.gguf")],
)
def test_an_adapter_that_llama_cpp_cannot_take_is_named(
    llama: Path, tmp_path: Path, adapter: str, told: str
) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(range(256)))
    with pytest.raises(ModelError, match=told):
        engines.load(Settings(model=str(llama / "base.gguf"), adapter=str(tmp_path / adapter), context=512))


@pytest.mark.parametrize("content", [None, b"", b"nonsense" * 20])
def test_damaged_weights_are_named(llama: Path, tmp_path: Path, content: bytes | None) -> None:
    shutil.copytree(llama / "run", tmp_path / "run")
    weights = tmp_path / "run" / "adapter" / "adapter_model.safetensors"
    weights.unlink()
    if content is not None:
        weights.with_suffix(".bin").write_bytes(content)
    with pytest.raises(ModelError, match=r"no weights|cannot be read"):
        export.merged(tmp_path / "run", tmp_path / "merged")


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(map(str, arguments)))
    if isinstance(result.exception, MoziError):
        raise result.exception
    return result.exit_code, result.stderr


def test_the_commands_say_how_near_the_export_is(llama: Path, tmp_path: Path) -> None:
    code, told = run("merged", llama / "run", tmp_path / "merged")
    assert code == 0
    assert "are allowed: 10%" in told
    assert json.loads((tmp_path / "merged" / "config.json").read_text())["model_type"] == "llama"
    code, told = run("gguf", llama / "run", tmp_path / "x.gguf", "--base", llama / "base.gguf")
    assert "written: " in told
    assert run("gguf", llama / "run", tmp_path / "x.bin")[0] == 2
    with pytest.raises(ModelError, match="not on this disk"):
        run("gguf", llama / "run", tmp_path / "y.gguf", "--base", "qwen3-4b")


def test_qasper_is_answered_with_an_adapter_and_the_run_remembers_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mozi_cli.evaluate import app as evaluate
    from tests.unit.test_qasper import PAPERS

    base = tiny_llama.build(tmp_path / "base", max_position_embeddings=8192)
    tiny_llama.adapter(base, tmp_path / "run" / "adapter")
    onto = tiny_llama.gguf(base, tmp_path / "base.gguf")
    export.lora(tmp_path / "run", tmp_path / "x.gguf", onto)
    data = tmp_path / "qasper.json"
    data.write_text(json.dumps(PAPERS), "utf-8")
    monkeypatch.setenv("MOZI_CONTEXT", "8192")

    def asked(out: str, *options: object) -> Any:
        command = ["qasper", data, tmp_path / out, "--limit", "1", "--retriever", "bm25", "-k", "1"]
        return CliRunner().invoke(evaluate, list(map(str, [*command, *options])))

    assert asked("torch", "--adapter", tmp_path / "run").exit_code == 0
    assert asked("llama", "--model", onto, "--adapter", tmp_path / "x.gguf").exit_code == 0
    for name in ("torch", "llama"):
        assert len((tmp_path / name / "predictions.jsonl").read_text().splitlines()) == 1
    assert (
        json.loads((tmp_path / "llama" / "run.json").read_text())["model"] == f"{onto} with {tmp_path}/x.gguf"
    )
    assert json.loads((tmp_path / "torch" / "run.json").read_text())["model"] == str(tmp_path / "run")
    other = asked("llama", "--model", onto)
    assert isinstance(other.exception, MoziError)
    assert "another run" in str(other.exception)
