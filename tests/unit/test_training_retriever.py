from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mozi_engine.datasets import qasper
from mozi_engine.datasets.qasper import QasperPaper, Question, Reference
from mozi_engine.errors import DataError, ModelError, RecipeError
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.training.retrieval.pairs import pairs
from mozi_engine.types import Passage

WORDS = (
    "what corpus model is trained on parser tree bank words graph nodes score metric how many we use".split()
)


def paper(name: str, texts: list[str], asked: dict[str, list[str]]) -> QasperPaper:
    passages = tuple(Passage(i, "", text, "text", ()) for i, text in enumerate(texts))
    questions = tuple(
        Question(f"{name}-{i}", text, (Reference("", "extractive", tuple(gold)),))
        for i, (text, gold) in enumerate(asked.items())
    )
    return QasperPaper(name, "", passages, questions)


@pytest.fixture
def papers() -> list[QasperPaper]:
    first = ["we use the tree bank corpus", "the parser is a graph model", "the metric is a score"]
    second = ["the graph has many nodes", "words are trained", "how we use words"]
    return [
        paper("a", first, {"what corpus": [first[0]], "what model is used": [first[1], first[2]]}),
        paper("b", second, {"how many nodes": [second[0]]}),
    ]


def test_no_evidence_of_a_question_is_its_negative(papers: list[QasperPaper]) -> None:
    gold = {question.text: question.evidence for each in papers for question in each.questions}
    found = pairs(papers, positives=3, negatives=2)
    assert [pair.evidence for pair in found if pair.question == "what model is used"] == [
        "the parser is a graph model",
        "the metric is a score",
    ]
    for pair in found:
        assert pair.evidence in gold[pair.question]
        assert len(pair.negatives) == 2
        assert not gold[pair.question] & {*pair.negatives}


def test_negatives_come_from_the_same_paper_as_far_as_it_has_them(papers: list[QasperPaper]) -> None:
    own = {passage.text for passage in papers[0].passages}
    corpus, model, _, _ = pairs(papers, positives=3, negatives=2)
    assert {*corpus.negatives} < own
    assert len(own & {*model.negatives}) == 1


def test_the_same_seed_draws_the_same_pairs(papers: list[QasperPaper]) -> None:
    assert pairs(papers, 3, 2, seed=4) == pairs(papers, 3, 2, seed=4)


def questions_file(path: Path, papers: list[QasperPaper]) -> Path:
    records = {
        question.id: {
            "article_id": each.id,
            "text": question.text,
            "extractive_spans": ["x"],
            "evidence": sorted(question.evidence),
        }
        for each in papers
        for question in each.questions
    }
    path.write_text(json.dumps(records))
    return path


def published_file(path: Path, papers: list[QasperPaper]) -> Path:
    def answers(question: Question) -> list[dict[str, object]]:
        answer = {"unanswerable": False, "extractive_spans": ["x"], "free_form_answer": "", "yes_no": None}
        return [{"answer": {**answer, "evidence": sorted(question.evidence)}}]

    records = {
        each.id: {
            "title": each.id,
            "full_text": [{"section_name": "Data", "paragraphs": [p.text for p in each.passages]}],
            "qas": [{"question_id": q.id, "question": q.text, "answers": answers(q)} for q in each.questions],
        }
        for each in papers
    }
    path.write_text(json.dumps(records))
    return path


def test_questions_without_papers_bring_their_evidence_as_passages(
    tmp_path: Path, papers: list[QasperPaper]
) -> None:
    read = list(qasper.read(questions_file(tmp_path / "q.json", papers)))
    assert [item.id for item in read if isinstance(item, QasperPaper)] == ["a", "b"]
    assert isinstance(read[0], QasperPaper)
    assert {passage.text for passage in read[0].passages} == {p.text for p in papers[0].passages}


def test_a_broken_question_is_named_and_the_rest_is_read(tmp_path: Path, papers: list[QasperPaper]) -> None:
    path = questions_file(tmp_path / "q.json", papers)
    records = json.loads(path.read_text()) | {"broken": {"text": "no paper"}, "worse": 3}
    path.write_text(json.dumps(records))
    read = list(qasper.read(path))
    assert [item.id for item in read if not isinstance(item, QasperPaper)] == ["broken", "worse"]
    assert [item.id for item in read if isinstance(item, QasperPaper) and item.questions] == ["a", "b"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError):
        qasper.papers([str(tmp_path / "x.json")])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers and twenty words, with random weights."""
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("onnx")
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=Encoder.width,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=256,
    )
    BertModel(config).save_pretrained(folder / "bert")
    fast.save_pretrained(folder / "bert")
    layers = [Transformer(str(folder / "bert"), max_seq_length=64)]
    SentenceTransformer(modules=[*layers, Pooling(Encoder.width, "mean"), Normalize()], device="cpu").save(
        str(folder / "model")
    )
    return folder / "model"


@pytest.fixture
def recipe(tiny: Path, tmp_path: Path, papers: list[QasperPaper]):  # type: ignore[no-untyped-def]
    from mozi_engine.training.recipe import EvidenceData, Optim, RetrieverRecipe

    held_out = [paper("c", ["the tree bank", "the metric"], {"what metric": ["the metric"]})]
    data = EvidenceData(
        [str(questions_file(tmp_path / "train.json", papers + held_out))],
        [str(published_file(tmp_path / "dev.json", held_out))],
    )
    return RetrieverRecipe(
        str(tiny), data, Optim(lr=1e-3), epochs=2, batch=2, positives=2, negatives=1, tokens=32
    )


def test_training_measures_saves_exports_and_resumes(recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from mozi_engine.training.retrieval import retriever
    from mozi_engine.training.runs import history
    from mozi_engine.training.runs.step import Searched, Step

    assert not any("metric" in pair.question for pair in retriever.data(recipe).train)
    heard: list[Step | Searched] = []
    model = retriever.train(recipe, tmp_path / "run", heard.append).model
    assert model == tmp_path / "run" / "model"
    steps = [event for event in heard if isinstance(event, Step)]
    assert steps[-1].done == steps[-1].total
    assert all(np.isfinite(step.loss) and step.speed > 0 and step.bytes > 0 for step in steps)
    assert (steps[0].unit, steps[-1].seconds_left) == ("pairs", 0)
    assert [event.epoch for event in heard if isinstance(event, Searched)][:2] == [0, 1]
    told = history.read(tmp_path / "run")
    losses, recall = told.measured("loss"), told.measured("recall_at_5")
    assert (told.kind, told.step, told.total) == ("retriever", steps[-1].done, steps[-1].total)
    assert losses
    assert recall
    assert losses.steps == tuple(step.done for step in steps)
    assert len(recall.steps) == 1 + recipe.epochs

    agreed = retriever.export_best(tmp_path / "run", retriever.data(recipe).compared)
    assert agreed.questions == 1
    assert json.loads((tmp_path / "run" / "agreement.json").read_text())["questions"] == 1
    assert Encoder(folder=tmp_path / "run" / "encoder").id != Encoder.id

    with pytest.raises(RecipeError, match="is not empty"):
        retriever.train(recipe, tmp_path / "run", heard.append)
    with pytest.raises(RecipeError, match="another recipe"):
        retriever.train(replace(recipe, batch=3), tmp_path / "run", heard.append, resume=True)
    with pytest.raises(RecipeError, match="no checkpoint"):
        retriever.train(recipe, tmp_path / "other", heard.append, resume=True)
    assert retriever.train(recipe, tmp_path / "run", heard.append, resume=True).model == model


@pytest.mark.parametrize("mined_by", ["base", "both"])
def test_a_pair_of_encoders_is_trained_saved_and_exported(recipe, tmp_path: Path, mined_by: str) -> None:  # type: ignore[no-untyped-def]
    from sentence_transformers import SentenceTransformer

    from mozi_engine.training.recipe import Mined
    from mozi_engine.training.retrieval import retriever

    recipe = replace(recipe, separate=True, mined_by=Mined(mined_by), frozen_layers=1)
    run, text = tmp_path / "run", ["what corpus is the model trained on"]
    retriever.train(recipe, run, lambda event: None)
    model = run / "model"
    untrained, passages, questions = (
        SentenceTransformer(str(folder), device="cpu").encode(text)[0]
        for folder in (recipe.base, model, model / "questions")
    )
    for one, other in ((untrained, passages), (untrained, questions), (passages, questions)):
        assert float(one @ other) < 0.999

    agreed = retriever.export_best(run, retriever.data(recipe).compared)
    assert agreed.same_first == 1
    exported = Encoder(folder=run / "encoder")
    assert float(exported.encode(text)[0] @ passages) > 0.99
    assert float(exported.asking.encode(text)[0] @ questions) > 0.99

    shutil.rmtree(model / "questions")
    retriever.export_best(run, ())
    assert Encoder(folder=run / "encoder").asking.id == exported.id


def test_what_could_not_be_exported_is_not_trained(recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    from mozi_engine.training.retrieval import retriever

    layers = [Transformer(recipe.base), Pooling(Encoder.width, "cls")]
    SentenceTransformer(modules=layers, device="cpu").save(str(tmp_path / "cls"))
    with pytest.raises(RecipeError, match="pooling cls"):
        retriever.train(replace(recipe, base=str(tmp_path / "cls")), tmp_path / "run", lambda event: None)


def test_with_no_paper_held_out_the_export_is_compared_on_those_trained_on(recipe) -> None:  # type: ignore[no-untyped-def]
    from mozi_engine.training.retrieval import retriever

    found = retriever.data(replace(recipe, data=replace(recipe.data, evaluate=[])))
    assert not found.held_out
    assert [paper.id for paper in found.compared] == ["a", "b", "c"]


@pytest.mark.parametrize("separate", [False, True])
def test_what_is_stopped_and_resumed_ends_as_if_it_had_not_been(
    recipe, tmp_path: Path, separate: bool
) -> None:  # type: ignore[no-untyped-def]
    from mozi_engine.training.retrieval import retriever
    from mozi_engine.training.runs.step import Step

    recipe = replace(recipe, separate=separate, epochs=3)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    total = retriever.train(recipe, whole, lambda event: None).total
    for done, more in ((1, 1), (total // 2, total // 2 - 1)):  # in the middle of an epoch, and later
        asked = iter([False] * (more - 1) + [True])
        ended = retriever.train(
            recipe, stopped, lambda event: None, resume=done > 1, stopped=partial(next, asked)
        )
        assert (ended.done, ended.model) == (done, None)
    heard: list[object] = []
    retriever.train(recipe, stopped, heard.append, resume=True)
    assert next(event.done for event in heard if isinstance(event, Step)) == total // 2 + 1
    for file in (whole / "model").rglob("model.safetensors"):
        assert file.read_bytes() == (stopped / "model" / file.relative_to(whole / "model")).read_bytes()


def test_no_batch_has_a_paper_twice(papers: list[QasperPaper]) -> None:
    datasets = pytest.importorskip("datasets")
    from mozi_engine.training.retrieval.retriever import apart

    found = pairs(papers, positives=2, negatives=1)
    texts = datasets.Dataset.from_dict({"question": [pair.question for pair in found]})
    batches = list(apart([pair.paper for pair in found], texts, batch_size=2, drop_last=False))
    assert sorted(place for batch in batches for place in batch) == list(range(len(found)))
    for batch in batches:
        assert len({found[place].paper for place in batch}) == len(batch)


def test_one_encoder_asks_for_itself(tiny: Path, tmp_path: Path) -> None:
    from mozi_engine.training.retrieval.export import export

    export(tiny, tmp_path)
    encoder = Encoder(folder=tmp_path)
    (tmp_path / "questions").mkdir()  # of no encoder
    assert encoder.asking is encoder
    assert Encoder().asking.id == Encoder.id


def test_rankings_take_turns_and_none_is_taken_twice(papers: list[QasperPaper]) -> None:
    def backwards(passages: Sequence[Passage]) -> Callable[[str], np.ndarray]:
        return lambda _: np.arange(len(passages), dtype=np.float64)

    def forwards(passages: Sequence[Passage]) -> Callable[[str], np.ndarray]:
        return lambda _: -np.arange(len(passages), dtype=np.float64)

    texts = ["gold", "one", "two", "three", "four"]
    asked = [paper("d", texts, {"what": ["gold"], "which": ["gold"]})]
    assert [pair.negatives for pair in pairs(asked, 1, 3, rankers=(forwards,))] == [
        ("one", "two", "three")
    ] * 2
    first, second = pairs(asked, 1, 3, rankers=(forwards, backwards))
    assert first.negatives == ("four", "one", "three")
    assert second.negatives == ("four", "three", "one")


def test_the_export_gives_the_vectors_of_torch(tiny: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    from mozi_engine.training.retrieval.export import export

    export(tiny, tmp_path)
    texts = ["what corpus is the model trained on", "how many nodes", "graph"]
    exported = Encoder(folder=tmp_path)
    expected = SentenceTransformer(str(tiny), device="cpu").encode(texts)
    assert np.all(np.sum(exported.encode(texts) * expected, axis=1) > 0.98)


def test_what_is_no_encoder_is_not_exported(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from mozi_engine.training.retrieval.export import export

    with pytest.raises(ModelError):
        export(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_base_and_data_without_questions_are_refused(recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from mozi_engine.training.retrieval import retriever

    with pytest.raises(RecipeError, match="cannot be loaded"):
        retriever.train(replace(recipe, base=str(tmp_path / "no")), tmp_path / "run", lambda event: None)
    only_held_out = replace(recipe, data=replace(recipe.data, train=recipe.data.evaluate))
    with pytest.raises(DataError, match="left to train on"):
        retriever.data(only_held_out)


def test_a_dry_run_shows_the_recipe_and_the_data_and_trains_nothing(recipe, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from typer.testing import CliRunner

    from mozi_cli.main import app

    changes = [
        f"base={recipe.base}",
        f"data.train=[{recipe.data.train[0]}]",
        f"data.evaluate=[{recipe.data.evaluate[0]}]",
    ]
    run = ["train", "retriever", "retriever-scidpr-small", *changes, "--out", str(tmp_path / "run")]
    shown = CliRunner().invoke(app, [*run, "--dry-run"])
    assert shown.exit_code == 0
    assert "4 pairs" in shown.stderr
    assert f"base: {recipe.base}" in shown.stdout
    assert not (tmp_path / "run").exists()
    wrong = CliRunner().invoke(app, [*run, "epoch=3"])
    assert isinstance(wrong.exception, RecipeError)
    assert "did you mean 'epochs'?" in wrong.exception.message
