import json

from mozi_cli import wording
from mozi_engine import quotations
from mozi_engine.models.catalog_file import ModelSpec
from mozi_engine.sessions import records
from mozi_engine.types import Answer, Citation, Evidence, Timings
from tests.conftest import passage

EVIDENCE = (
    Evidence(passage("The graph has 280M nodes. It is large.", 4, "Introduction", page=2), 1.0, 1),
    Evidence(passage("Parser | 80.3", 9, "Results", "table", page=5), 0.5, 2),
)
TEXT = "It has 280M nodes. The F1 is 81. It flies."
ANSWER = Answer(
    TEXT,
    "partial",
    EVIDENCE,
    (Citation((0, 18), 0, 0, 25, 0.9), Citation((19, 32), 1, 0, 13, 0.5), Citation((19, 32), 0, 0, 25, 0.5)),
    uncited=((33, 42),),
    unverified=((29, 31),),
    timings=Timings(3.0, 900.0, 1500.0, 300, 12),
)


def test_marks_stand_behind_their_sentences_and_number_each_place_once() -> None:
    assert quotations.marked(ANSWER) == "It has 280M nodes. [1] The F1 is 81. [2][1] It flies. [?]"
    assert [(q.number, q.text) for q in quotations.quotes(ANSWER)] == [
        (1, "The graph has 280M nodes."),
        (2, "Parser | 80.3"),
    ]


def test_doubts_name_what_a_reader_should_not_take_on_trust() -> None:
    assert quotations.doubts(ANSWER) == [
        "[?] nothing in the evidence says this",
        "not in the cited passages: 81",
    ]


def test_a_place_is_a_page_a_section_and_what_is_unusual() -> None:
    assert wording.place(EVIDENCE[0].passage) == "page 2, Introduction"
    assert wording.place(EVIDENCE[1].passage) == "page 5, Results (table)"


def test_a_quotation_is_shown_in_its_context() -> None:
    quote = quotations.Quote(1, passage("one two three four five six seven"), 8, 13)
    assert wording.around(quote, 100) == ("one two ", "three", " four five six seven")
    assert wording.around(quote, 6) == ("…two ", "three", " four…")


def test_pages_that_were_not_read_are_named_as_a_person_would() -> None:
    assert wording.not_read((3,)).startswith("not read: page 3 ")
    assert wording.not_read((2, 3, 4, 5)).startswith("not read: pages 2-5 ")
    assert wording.not_read((2, 5)).startswith("not read: pages 2 and 5 ")
    assert wording.not_read((1, 2, 4, 7, 8)).startswith("not read: pages 1-2, 4 and 7-8 ")


def test_a_model_of_which_little_is_known_is_still_announced() -> None:
    known = ModelSpec("a", "A 4B", bytes=2_500_000_000, licence="MIT")
    assert wording.fetching(known) == "fetching A 4B once (2.5 GB, MIT)"
    assert wording.fetching(ModelSpec("a", "A 4B", licence="MIT")) == "fetching A 4B once (MIT)"
    assert wording.fetching(ModelSpec("a", "A 4B")) == "fetching A 4B once"


def test_the_record_quotes_to_the_letter() -> None:
    record = json.loads(records.answer_record("How large?", ANSWER, "scripted", 12.0))
    assert list(record) == [
        "question", "answer", "verdict", "from", "evidence", "citations", "uncited", "unverified_numbers", "model", "timings",
    ]  # fmt: skip
    for citation in record["citations"]:
        text = record["evidence"][citation["passage"]]["text"]
        assert citation["quote"] == text[citation["start"] : citation["end"]]
        assert citation["boxes"][0]["page"] == citation["page"]
    assert [e["index"] for e in record["evidence"]] == [4, 9]
    assert [c["page"] for c in record["citations"]] == [2, 5, 2]
    assert record["uncited"] == ["It flies."]
    assert record["unverified_numbers"] == ["81"]
    assert set(record["timings"]) == {
        "read_ms", "search_ms", "ttft_ms", "total_ms", "prompt_tokens", "completion_tokens",
    }  # fmt: skip


def test_text_before_any_heading_is_left_out_by_a_name() -> None:
    told = wording.left_out(["", "2 Trees"])
    assert told.endswith("only: what comes before the first heading, 2 Trees")
