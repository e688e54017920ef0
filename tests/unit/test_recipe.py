from __future__ import annotations

from pathlib import Path

import pytest

from mozi_engine.errors import RecipeError

pytest.importorskip("omegaconf")

from mozi_engine.training import recipe
from mozi_engine.training.recipe import PretrainRecipe, RetrieverRecipe, SftRecipe, find, load, written

SMALL = """
base: model
data: {train: [a.json]}
optim: {lr: 1e-4}
epochs: 1
batch: 4
positives: 1
negatives: 1
tokens: 64
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "r.yaml"
    path.write_text(SMALL)
    return path


SHIPPED = sorted(Path(recipe.__file__).with_name("recipes").glob("*.yaml"))
KINDS = {"pretrain": PretrainRecipe, "retriever": RetrieverRecipe, "sft": SftRecipe}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_recipe_that_ships_loads(path: Path) -> None:
    kind = KINDS[path.stem.partition("-")[0]]
    assert load(find(path.stem), kind).batch > 0


def test_overrides_win_over_the_file_and_the_file_over_the_defaults(file: Path) -> None:
    made = load(file, RetrieverRecipe, ["optim.lr=3e-5", "data.evaluate=[b.json]"])
    assert (made.optim.lr, made.data.evaluate, made.batch, made.seed) == (3e-5, ["b.json"], 4, 0)


def test_a_recipe_that_is_written_loads_as_the_same(file: Path, tmp_path: Path) -> None:
    made = load(file, RetrieverRecipe)
    (tmp_path / "again.yaml").write_text(written(made))
    assert load(tmp_path / "again.yaml", RetrieverRecipe) == made


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("optim.rl=1", "unknown key 'optim.rl' (did you mean 'optim.lr'?)"),
        ("bach=1", "did you mean 'batch'?"),
        ("zzz=1", "unknown key 'zzz'"),
        ("batch=many", "batch=many"),
        ("batch", "changes nothing"),
        ("=4", "changes nothing"),
        ("data=3", "data=3"),
    ],
)
def test_what_a_recipe_does_not_know_is_refused_by_name(file: Path, change: str, told: str) -> None:
    with pytest.raises(RecipeError) as error:
        load(file, RetrieverRecipe, [change])
    assert told in error.value.message
    assert "\n" not in error.value.message
    assert error.value.hint


LARGE = ["data.train=[a]", "lora.rank=4", "lora.alpha=8", "length=64", "save_every=4"]


@pytest.mark.parametrize(
    "change",
    [
        *(f"{key}=0" for key in ("batch", "accumulate", "epochs", "save_every", "keep", "lora.rank")),
        *(f"{key}=-1" for key in ("steps", "evaluate_every", "threads", "seed", "optim.weight_decay")),
        *("length=0", "length=1", "optim.lr=0", "optim.lr=-1", "optim.lr=.nan", "optim.lr=.inf"),
        *(f"{key}={value}" for key in ("cut", "lora.dropout", "optim.warmup") for value in (-0.1, 1.1)),
        *("optim.warmup=1.0", "optim.beta1=1.0", "optim.beta2=-0.5", "optim.clip=-1.0", "zero.stage=-1"),
    ],
)
def test_a_number_that_cannot_be_followed_is_refused_by_its_key(tmp_path: Path, change: str) -> None:
    (tmp_path / "r.yaml").write_text("base: model\noptim: {lr: 1e-4}\nepochs: 1\nbatch: 4\n")
    load(tmp_path / "r.yaml", SftRecipe, LARGE)
    with pytest.raises(RecipeError) as error:
        load(tmp_path / "r.yaml", SftRecipe, [*LARGE, change])
    key = change.partition("=")[0]
    assert error.value.message.startswith(f"{key}=")
    assert error.value.hint.startswith(f"{key} is ")


@pytest.mark.parametrize("change", ["positives=0", "negatives=-1", "tokens=0", "scale=0", "frozen_layers=-1"])
def test_so_is_one_of_the_retrievers(file: Path, change: str) -> None:
    with pytest.raises(RecipeError, match=change):
        load(file, RetrieverRecipe, [change])


@pytest.mark.parametrize("change", ["cut=1", "cut=0", "lora.dropout=0", "optim.warmup=0", "optim.clip=0"])
def test_the_ends_of_a_range_belong_to_it(tmp_path: Path, change: str) -> None:
    (tmp_path / "r.yaml").write_text("base: model\noptim: {lr: 1e-4}\nepochs: 1\nbatch: 4\n")
    load(tmp_path / "r.yaml", SftRecipe, [*LARGE, change])


@pytest.mark.parametrize("text", ["", "just words", "- a\n- list", "a: [", "\x00"])
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(RecipeError):
        load(tmp_path / "r.yaml", RetrieverRecipe)


def test_a_key_without_a_value_is_named(file: Path) -> None:
    file.write_text(SMALL.replace("batch: 4\n", ""))
    with pytest.raises(RecipeError, match="no value for batch"):
        load(file, RetrieverRecipe)


def test_an_unknown_name_lists_the_recipes() -> None:
    with pytest.raises(RecipeError) as error:
        find("nothing")
    assert "retriever-scidpr-small" in error.value.hint
