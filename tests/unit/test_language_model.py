import json
import math
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("peft")

import torch
from transformers import AutoModelForCausalLM

from mozi_cli.evaluate import app
from mozi_engine.errors import DataError, ModelError
from mozi_engine.evaluation.language_model import LanguageModel
from mozi_engine.evaluation.perplexity import chunks, measure
from mozi_engine.evaluation.report import Table
from mozi_engine.generation import template
from mozi_engine.types import Turn
from tests import tiny_llama
from tests.unit.test_qasper import NOTHING


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return tiny_llama.build(folder, template=None, max_position_embeddings=64, initializer_range=0.02)


@pytest.fixture(scope="module")
def adapter(model: Path) -> Path:
    return tiny_llama.adapter(model, model.parent / "adapter")


def test_nats_are_those_of_the_models_own_loss(model: Path) -> None:
    found = LanguageModel(str(model))
    tokens = found.tokens("graph nodes data model graph nodes data model")
    ids = torch.tensor([tokens])
    loss = AutoModelForCausalLM.from_pretrained(model)(input_ids=ids, labels=ids).loss
    assert found.nats(tokens) == pytest.approx(float(loss) * (len(tokens) - 1), rel=1e-4)
    assert found.context == 64


def test_an_adapter_changes_the_model_and_can_be_set_aside(model: Path, adapter: Path) -> None:
    base, adapted = LanguageModel(str(model)), LanguageModel(str(model), adapter)
    tokens = base.tokens("graph nodes data")
    assert adapted.nats(tokens) != pytest.approx(base.nats(tokens), rel=1e-3)
    with adapted.without_adapter():
        assert adapted.nats(tokens) == pytest.approx(base.nats(tokens), rel=1e-5)
    with base.without_adapter():
        assert base.nats(tokens) == base.nats(tokens)


def test_the_logits_of_what_comes_next(model: Path) -> None:
    found = LanguageModel(str(model))
    tokens = found.tokens("graph nodes")
    every = found.logits(tokens, range(320))
    total = math.log(sum(map(math.exp, every)))
    third = found.tokens(" data")[0]
    assert found.nats([*tokens, third]) - found.nats(tokens) == pytest.approx(total - every[third], abs=1e-4)
    assert len(found.logits(tokens * 60, [0, 1])) == 2  # longer than it reads at once


def test_what_is_no_model_is_refused(model: Path, tmp_path: Path) -> None:
    for wrong in ((str(tmp_path), None), ("no/such-model", None), (str(model), tmp_path)):
        with pytest.raises(ModelError, match=r"has no tokenizer|holds no adapter"):
            LanguageModel(*wrong)


def test_a_text_is_as_likely_as_after_the_token_that_begins_it(model: Path, tmp_path: Path) -> None:
    begun = tiny_llama.build(tmp_path / "begun", begun=True, max_position_embeddings=64)
    (tmp_path / "x.txt").write_text("graph nodes data model " * 3, "utf-8")
    for folder, begin in ((begun, (1,)), (model, ())):
        found = LanguageModel(str(folder))
        assert found.begin == begin
        (piece, *_) = chunks(tmp_path / "x.txt", found, 8)
        assert list(piece.tokens) == [*begin, *found.tokens("graph nodes data model " * 3)][:8]
        *_, table = measure("base", [piece], found)
        assert isinstance(table, Table)
        ids = torch.tensor([piece.tokens])
        loss = AutoModelForCausalLM.from_pretrained(folder)(input_ids=ids, labels=ids).loss
        assert table.scores()[0].value == pytest.approx(float(loss.exp()), rel=1e-4)


def _eval(*arguments: object) -> Result:
    """`mozi eval` in this process: torch takes seconds to import."""
    return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)


def test_perplexity_is_compared_with_the_adapters(model: Path, adapter: Path, tmp_path: Path) -> None:
    data = tmp_path / "held-out.jsonl"
    data.write_text("".join(json.dumps({"text": "graph nodes data " * 30}) + "\n" for _ in range(3)), "utf-8")
    out = tmp_path / "report.json"
    command = ("perplexity", model, data, "--adapter", adapter, "--chunk", "16")
    ran = _eval(*command, "--out", out, "--json")
    tables = json.loads(ran.stdout)["tables"]
    assert [table["name"] for table in tables] == ["base", "adapter"]
    assert all(100 < table["scores"][0]["value"] < 1000 for table in tables)
    assert "difference" in _eval(*command).stdout
    assert "perplexity" in _eval("compare", out, out).stdout


def test_a_chunk_longer_than_the_model_reads_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("graph " * 100, "utf-8")
    with pytest.raises(DataError, match="64 tokens at once"):
        _eval("perplexity", model, tmp_path / "x.txt")


def test_yes_or_no_is_chosen_after_examples(model: Path, tmp_path: Path) -> None:
    def file(name: str, answers: list[bool]) -> Path:
        papers = {
            f"{name}{i}": {
                "title": name,
                "full_text": [{"section_name": "All", "paragraphs": ["graph nodes"]}],
                "qas": [
                    {
                        "question_id": f"{name}{i}",
                        "question": "Is it a graph?",
                        "answers": [{"answer": NOTHING | {"yes_no": answer, "evidence": ["graph nodes"]}}],
                    }
                ],
            }
            for i, answer in enumerate(answers)
        }
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(papers), "utf-8")
        return path

    test, train = file("test", [True, False, True]), file("train", [True, False])
    ran = _eval("yesno", model, test, "--examples", train, "--shots", "2", "--json")
    (table,) = json.loads(ran.stdout)["tables"]
    assert table["scores"][0]["value"] in (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert table["scores"][1]["value"] == pytest.approx(2 / 3)
    with pytest.raises(DataError, match="only 2 papers"):
        _eval("yesno", model, test, "--examples", train, "--shots", "3")


def test_what_is_known_before_is_not_counted(model: Path) -> None:
    found = LanguageModel(str(model))
    before, after = found.tokens("graph nodes data"), found.tokens(" model graph")
    whole, first = found.nats([*before, *after]), found.nats(before)
    assert found.nats([*before, *after], known=len(before)) == pytest.approx(whole - first, rel=1e-4)
    # Of what is longer than the context, the beginning goes.
    long = before * 60
    kept = [*long, *after][-found.context :]
    assert found.nats([*long, *after], known=len(long)) == pytest.approx(
        found.nats(kept, known=len(kept) - len(after)), rel=1e-4
    )


def test_a_conversation_is_measured_as_it_is_trained(model: Path) -> None:
    turns = [Turn("user", "graph"), Turn("assistant", "nodes"), Turn("user", "data")]
    rendered = template.render(template.tokenizer(model), turns)
    assert rendered.startswith("User:\ngraph")
    assert LanguageModel(str(model)).conversation(turns) == LanguageModel(str(model)).tokens(rendered)


def test_references_are_told_by_a_torch_model(model: Path, adapter: Path, tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "graph"}, {"role": "assistant", "content": "nodes data"}]
    data = tmp_path / "sft.jsonl"
    data.write_text(json.dumps({"id": "d", "messages": messages}), "utf-8")
    ran = _eval(
        "dialogues",
        data,
        tmp_path / "out",
        "--score-only",
        "--perplexity",
        model,
        "--adapter",
        adapter,
        "--json",
    )
    tables = json.loads(ran.stdout)["tables"]
    assert [table["name"] for table in tables] == ["replies", "base", "adapter"]
    assert tables[1]["scores"][0]["name"] == "perplexity of the reference"
