from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mozi_engine import prompts
from mozi_engine.datasets import examples, papers, pieces, qasper
from mozi_engine.datasets.examples import Options
from mozi_engine.datasets.manifest import Manifest
from mozi_engine.errors import DataError
from tests.unit.raw_papers import LONG, answer, many, paper, question

FOUR = (
    answer(extractive_spans=["SQuAD", "NQ"]),
    answer(
        free_form_answer="Two data sets", evidence=["FLOAT SELECTED: Table 1: The sizes of all data sets."]
    ),
    answer(yes_no=False, evidence=[LONG]),
    answer(unanswerable=True, evidence=[]),
)


def _written(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")
    return path


def _prepare(raw: Path, out: Path, kind: str = "qasper", **options: Any) -> Manifest:
    *_, made = papers.prepare(kind, raw, out, Options(**options))
    assert isinstance(made, Manifest)
    return made


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return _written(tmp_path / "raw" / "qasper-train-v0.3.json", {"1805.1": paper(question("q1", *FOUR))})


def test_a_long_paragraph_is_several_passages_and_its_evidence_all_of_them(raw: Path) -> None:
    (read,) = (item for item in qasper.read(raw) if isinstance(item, qasper.QasperPaper))
    cut = pieces.cut(read)
    places = cut.of(read.questions[0].references[2])
    assert len(places) > 1
    assert (
        "".join(cut.passages[i].text for i in places)
        .replace(" ", "")
        .startswith(LONG.replace(" ", "")[:2000])
    )
    assert all(len(passage.text.split()) <= 160 for passage in cut.passages)
    assert [passage.index for passage in cut.passages] == list(range(len(cut.passages)))


def test_a_table_that_was_selected_is_its_caption(raw: Path) -> None:
    (read,) = (item for item in qasper.read(raw) if isinstance(item, qasper.QasperPaper))
    cut = pieces.cut(read)
    (place,) = cut.of(read.questions[0].references[1])
    assert cut.passages[place].text == "Table 1: The sizes of all data sets."
    assert cut.passages[place].kind == "caption"


def test_the_files_of_a_split(raw: Path, tmp_path: Path) -> None:
    made = _prepare(raw, tmp_path / "out")
    train = tmp_path / "out" / "train"
    (known,) = _lines(train / "papers.jsonl")
    (asked,) = _lines(train / "questions.jsonl")
    assert known["abstract"] == "We build a graph."
    assert [given["type"] for given in asked["answers"]] == ["extractive", "abstractive", "boolean", "none"]
    assert asked["answers"][0]["highlighted"] == ["We use SQuAD"]
    texts = {passage["index"]: passage["text"] for passage in known["passages"]}
    assert texts[asked["answers"][0]["evidence"][0]].startswith("We use SQuAD and NQ")
    assert made.counts["train"]["answers, boolean"] == 1
    assert made.counts["train"]["questions"] == 1
    assert {output.name for output in made.outputs} == {
        "train/papers.jsonl",
        "train/questions.jsonl",
        "train/retriever.jsonl",
        "train/sft.jsonl",
    }


def test_an_example_is_rendered_as_chat_renders_it_and_holds_the_gold(raw: Path, tmp_path: Path) -> None:
    _prepare(raw, tmp_path / "out")
    first, *_, last = _lines(tmp_path / "out" / "train" / "sft.jsonl")
    system, user, said = first["messages"]
    assert system == {"role": "system", "content": prompts.PAPER}
    assert "We use SQuAD and NQ" in user["content"]
    assert user["content"].endswith("Question: Which data is used?")
    assert user["content"].count("Passage from") + user["content"].count("Passage:") == 1 + 4
    assert user["content"].startswith('Paper: A Graph\n\nPassage from "Abstract":\n')
    assert said == {"role": "assistant", "content": "SQuAD, NQ"}
    assert last["messages"][-1]["content"] == examples.NOT_IN_PAPER
    assert examples.NOT_IN_PAPER in prompts.PAPER


def test_gold_alone_and_the_original_filter(raw: Path, tmp_path: Path) -> None:
    _prepare(raw, tmp_path / "gold", passages=0)
    first = _lines(tmp_path / "gold" / "train" / "sft.jsonl")[0]
    assert first["messages"][1]["content"].count("Passage from") == 1 + 1
    made = _prepare(raw, tmp_path / "original", original=True)
    lines = _lines(tmp_path / "original" / "train" / "sft.jsonl")
    assert lines[0]["messages"][1]["content"].count("Passage from") == 1
    types = [line["type"] for line in lines]
    assert types == ["extractive", "abstractive", "boolean"]
    assert made.left_out["train"]["unanswerable (the original's filter)"] == 1


def test_a_question_whose_evidence_is_withheld_is_not_in_the_paper(raw: Path, tmp_path: Path) -> None:
    _prepare(raw, tmp_path / "out", withheld=1.0)
    *_, last = _lines(tmp_path / "out" / "train" / "sft.jsonl")
    _, user, said = (message["content"] for message in last["messages"])
    assert (last["type"], said) == ("withheld", "Not in the paper.")
    assert said in prompts.PAPER
    assert "The trees that grow" in user
    assert not any(gold in user for gold in ("We use SQuAD", "Table 1", "Sentence 3 "))
    assert _prepare(raw, tmp_path / "none").counts == _prepare(raw, tmp_path / "zero", withheld=0.0).counts
    assert not any(line["type"] == "withheld" for line in _lines(tmp_path / "none" / "train" / "sft.jsonl"))


def test_a_question_of_whose_paper_nothing_else_is_known_is_not_withheld(tmp_path: Path) -> None:
    alone = {"q": {"article_id": "p", "text": "Which?", "extractive_spans": ["A"], "evidence": ["It is A."]}}
    made = _prepare(_written(tmp_path / "dev.json", alone), tmp_path / "out", withheld=1.0)
    assert made.counts["dev"]["examples for fine-tuning"] == 1


def test_negatives_are_of_the_same_paper_and_never_gold(raw: Path, tmp_path: Path) -> None:
    _prepare(raw, tmp_path / "out")
    (pair,) = _lines(tmp_path / "out" / "train" / "retriever.jsonl")
    assert any("The trees that grow" in text for text in pair["negatives"])
    assert not set(pair["positives"]) & set(pair["negatives"])
    assert not any("SQuAD" in text or text in LONG for text in pair["negatives"])


def test_the_same_answer_twice_is_one_example(tmp_path: Path) -> None:
    two = (answer(extractive_spans=["SQuAD"]), answer(free_form_answer="squad"))
    raw = _written(tmp_path / "dev.json", {"p": paper(question("q", *two))})
    made = _prepare(raw, tmp_path / "out")
    assert made.counts["dev"]["examples for fine-tuning"] == 1
    assert made.left_out["dev"]["the same answer by another annotator"] == 1


def _snapshot(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_same_input_and_seed_same_bytes(tmp_path: Path) -> None:
    raw = _written(tmp_path / "train.json", many(5))
    for name in ("a", "b"):
        _prepare(raw, tmp_path / name, seed=3)
    _prepare(raw, tmp_path / "c", seed=4)
    assert _snapshot(tmp_path / "a") == _snapshot(tmp_path / "b")
    assert _snapshot(tmp_path / "a") != _snapshot(tmp_path / "c")


def test_an_archive_a_folder_and_a_compressed_file_give_the_same(tmp_path: Path) -> None:
    content = json.dumps(many(3)).encode()
    plain, packed, archive = tmp_path / "plain", tmp_path / "packed", tmp_path / "archive"
    for folder in (plain, packed, archive):
        folder.mkdir()
    (plain / "qasper-dev-v0.3.json").write_bytes(content)
    (packed / "qasper-dev-v0.3.json.gz").write_bytes(gzip.compress(content))
    with tarfile.open(archive / "qasper-train-dev-v0.3.tgz", "w:gz") as tar:
        for name, inside in (
            ("x/qasper-dev-v0.3.json", content),
            ("x/._qasper-dev-v0.3.json", b"mac"),
            ("README", b"r"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(inside)
            tar.addfile(member, io.BytesIO(inside))
    snapshots = []
    for folder in (plain, packed, archive):
        _prepare(folder, folder / "out")
        snapshots.append(_snapshot(folder / "out"))
        del snapshots[-1]["manifest.json"]
    assert snapshots[0] == snapshots[1] == snapshots[2]
    assert set(snapshots[0]) == {f"dev/{name}.jsonl" for name in ("papers", "questions", "retriever", "sft")}


def test_questions_without_their_papers_are_read_too(tmp_path: Path) -> None:
    record = {
        "article_id": "1.1",
        "text": "Which data?",
        "extractive_spans": ["SQuAD"],
        "evidence": ["We use SQuAD for everything.", "FLOAT SELECTED: Table 2: Results."],
        "highlighted_evidence": [],
    }
    content = {"q1": record, "q2": record | {"text": "What else?"}, "q3": record | {"article_id": "1.2"}}
    made = _prepare(_written(tmp_path / "dev.json", content), tmp_path / "out")
    assert made.counts["dev"]["papers"] == 2
    assert made.counts["dev"]["examples for fine-tuning"] == 3
    assert [p["kind"] for p in _lines(tmp_path / "out/dev/papers.jsonl")[0]["passages"]] == [
        "text",
        "caption",
    ]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"evidence": 3}, "3 is not a list"),
        ({"evidence": "We use SQuAD"}, "'We use SQuAD' is not a list"),
        ({"evidence": [None]}, "None is not a text"),
        ({"article_id": ["1.1"]}, "['1.1'] is not a text"),
        ({"article_id": None}, "None is not a text"),
        ({"text": None}, "None is not a text"),
        ({"extractive_spans": []}, "an answer of no type"),
    ],
)
def test_a_broken_question_without_its_paper_is_named_where_it_stands(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    record = {
        "article_id": "1.1",
        "text": "Which?",
        "extractive_spans": ["SQuAD"],
        "evidence": ["We use SQuAD."],
    }
    content = {f"q{n}": record for n in range(120)} | {"broken": record | change}
    made = _prepare(_written(tmp_path / "dev.json", content), tmp_path / "out")
    (skipped,) = made.skipped
    assert (skipped.file, skipped.line, skipped.id) == ("dev.json", 121, "broken")
    assert why in skipped.reason
    assert made.counts["dev"]["questions"] == 120


BROKEN = [
    ({"title": None}, "None is not a text"),
    ({"title": "half a pair: \ud800"}, "surrogates"),
    ({"full_text": "x"}, "string indices"),
    ({"full_text": [{"section_name": "A", "paragraphs": [1]}]}, "1 is not a text"),
    ({"full_text": [{"section_name": "A"}]}, "no 'paragraphs'"),
    ({"qas": None}, "not iterable"),
    ({"figures_and_tables": [{}]}, "no 'caption'"),
    ({"qas": [7]}, "not subscriptable"),
    ({"qas": [{"question_id": "q"}]}, "no 'answers'"),
    ({"qas": [question("q")]}, "no answer"),
    ({"qas": [question("q", answer())]}, "an answer of no type"),
    ({"qas": [question("q", answer(extractive_spans=[None]))]}, "None is not a text"),
    ({"qas": [question("q", answer(extractive_spans=["x"], evidence=None))]}, "None is not a list"),
    ({"qas": [question("q", answer(extractive_spans=["x"], evidence="We use SQuAD"))]}, "is not a list"),
    ({"qas": [question("q", answer(extractive_spans="SQuAD"))]}, "'SQuAD' is not a list"),
    ({"full_text": [{"section_name": "A", "paragraphs": "text"}]}, "'text' is not a list"),
    ({"qas": [question("q", {"answer": None})]}, "not subscriptable"),
    ({"qas": [question("q", answer(yes_no=True), text=3)]}, "3 is not a text"),  # type: ignore[arg-type]
    ({"qas": [question("q0-0", answer(yes_no=True))]}, "read before"),
]


@pytest.mark.parametrize(("change", "why"), BROKEN)
def test_a_broken_record_is_named_counted_and_skipped(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    content = many(40) | {"broken": paper(question("q", answer(yes_no=True))) | change}
    made = _prepare(_written(tmp_path / "train.json", content), tmp_path / "out")
    (skipped,) = made.skipped
    assert (skipped.file, skipped.id.split()[0]) == ("train.json", "broken")
    assert why in skipped.reason
    assert made.counts["train"]["questions"] == 120
    assert json.loads((tmp_path / "out/manifest.json").read_bytes())["skipped"][0]["reason"] == skipped.reason


def test_too_many_broken_records_are_an_error_and_leave_nothing(tmp_path: Path) -> None:
    content = many(10) | {"broken": {}}
    raw = _written(tmp_path / "train.json", content)
    with pytest.raises(
        DataError, match=r"1 of 31 records are broken, more than 1%; the first: train.json:11: broken"
    ):
        _prepare(raw, tmp_path / "out")
    assert not _snapshot(tmp_path / "out")
    assert _prepare(raw, tmp_path / "out", tolerance=0.05).counts["train"]["questions"] == 30


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_is_not_qaspers_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "train.json").write_bytes(content)
    with pytest.raises(DataError):
        _prepare(tmp_path / "train.json", tmp_path / "out")


def test_nothing_there_an_empty_folder_and_an_empty_file_are_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path, why in ((tmp_path / "none", "nothing at"), (tmp_path / "empty", "no .json file in")):
        with pytest.raises(DataError, match=why):
            _prepare(path, tmp_path / "out")
    with pytest.raises(DataError, match="no record"):
        _prepare(_written(tmp_path / "train.json", {}), tmp_path / "out")


def test_cut_archives_are_errors(tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps(many(20)).encode())
    (tmp_path / "train.json.gz").write_bytes(packed[:-20])
    (tmp_path / "train.tgz").write_bytes(packed[: len(packed) // 2])
    for name in ("train.json.gz", "train.tgz"):
        with pytest.raises(DataError, match="cannot be read"):
            _prepare(tmp_path / name, tmp_path / "out")


def test_an_earlier_preparation_goes_first_and_nothing_else(tmp_path: Path) -> None:
    _prepare(_written(tmp_path / "dev.json", many(1)), tmp_path / "out")
    (tmp_path / "out" / "mine.txt").write_text("mine")
    _prepare(_written(tmp_path / "train.json", many(1)), tmp_path / "out")
    assert not (tmp_path / "out/dev/sft.jsonl").exists()
    assert (tmp_path / "out/train/sft.jsonl").exists()
    assert (tmp_path / "out/mine.txt").read_text() == "mine"


def _scimrc(tmp_path: Path, *records: object) -> Path:
    path = tmp_path / "smrc_train.jsonl"
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in records) + "\n", "utf-8")
    return path


def test_scimrc_is_read_a_paper_a_line_without_ids_or_titles(tmp_path: Path) -> None:
    record = {
        "full_text": paper()["full_text"],
        "qas": [{"question": "Which data?", "answers": list(FOUR[:1])}],
    }
    raw = _scimrc(tmp_path, record, "", record | {"title": "T", "id": "named"})
    made = _prepare(raw, tmp_path / "out", "scimrc")
    assert made.counts["train"]["questions"] == 2
    first, second = _lines(tmp_path / "out/train/papers.jsonl")
    assert (first["id"], first["title"]) == ("smrc_train-1", "")
    assert (second["id"], second["title"]) == ("named", "T")
    assert [line["id"] for line in _lines(tmp_path / "out/train/questions.jsonl")] == [
        "smrc_train-1-q1",
        "named-q1",
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "not JSON"),
        ("[]", "[] is not an object"),
        ("null", "None is not an object"),
        ('{"qas": []}', "no 'full_text'"),
        ('{"full_text": [], "qas": 3}', "not iterable"),
        ('{"full_text": [], "qas": [{"question": "x"}]}', "no 'answers'"),
        ('{"full_text": [{"section_name": "A", "paragraphs": "text"}], "qas": {}}', ""),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_broken_line_of_scimrc_is_named(tmp_path: Path, line: str, why: str) -> None:
    whole = {
        "full_text": paper()["full_text"],
        "qas": [{"question": "Which?", "answers": [answer(yes_no=True)]}],
    }
    raw = _scimrc(tmp_path, *[whole] * 120, line)
    made = _prepare(raw, tmp_path / "out", "scimrc")
    if why:
        assert [(skipped.line, why in skipped.reason) for skipped in made.skipped] == [(121, True)]
    assert made.counts["train"]["questions"] == 120
