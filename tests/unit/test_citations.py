import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.citations import SUPPORTED, cite
from mozi_engine.types import Evidence
from tests.conftest import passage

GRAPH = "The literature graph has more than 280M nodes. It was built at the Allen Institute. Papers link to authors."
MODEL = "We train the model on 1,200 labelled papers. The F1 score of the parser is 80.3 points."


def _evidence(*texts: str, kind: str = "text") -> list[Evidence]:
    return [Evidence(passage(text, i, kind=kind), 1.0, i + 1) for i, text in enumerate(texts)]


def test_a_sentence_is_aligned_with_the_sentence_that_says_it() -> None:
    evidence = _evidence(MODEL, GRAPH)
    answer = "The graph has more than 280M nodes."
    (citation,) = cite(answer, "How many nodes does the graph have?", evidence).citations
    quote = evidence[citation.evidence].passage.text[citation.start : citation.end]
    assert quote == "The literature graph has more than 280M nodes."
    assert citation.sentence == (0, len(answer))
    assert citation.support > SUPPORTED


def test_of_equals_the_sentence_nearer_to_the_question_is_quoted() -> None:
    evidence = _evidence("The corpus has 300 papers.", "The test set has 300 papers.")
    (citation,) = cite("300 papers", "How large is the test set?", evidence).citations
    assert citation.evidence == 1


def test_each_sentence_has_its_own_source() -> None:
    answer = "The graph has more than 280M nodes. The parser has an F1 score of 80.3."
    found = cite(answer, "What was built?", _evidence(MODEL, GRAPH))
    assert [c.evidence for c in found.citations] == [1, 0]
    assert found.uncited == ()
    assert found.unverified == ()


def test_a_sentence_of_two_halves_has_two_sources() -> None:
    answer = "The graph was built at the Allen Institute, and the F1 score of the parser is 80.3."
    found = cite(answer, "Who made it, and how?", _evidence(MODEL, GRAPH))
    assert {c.evidence for c in found.citations} == {0, 1}
    assert {c.sentence for c in found.citations} == {(0, len(answer))}


def test_what_the_evidence_does_not_say_is_left_uncited() -> None:
    answer = "The graph has more than 280M nodes. Elephants migrate in winter."
    found = cite(answer, "How large?", _evidence(GRAPH))
    assert [answer[a:b] for a, b in found.uncited] == ["Elephants migrate in winter."]


def test_yes_is_supported_by_what_the_question_claims() -> None:
    (citation,) = cite(
        "Yes.", "Was the graph built at the Allen Institute?", _evidence(MODEL, GRAPH)
    ).citations
    assert citation.evidence == 1


def test_a_number_that_stands_in_no_cited_passage_is_flagged() -> None:
    answer = "The graph has 290M nodes, and 1200 papers are labelled."
    found = cite(answer, "How many nodes?", _evidence(GRAPH, MODEL))
    assert [answer[a:b] for a, b in found.unverified] == ["290"]


def test_a_row_of_a_table_is_quoted_alone() -> None:
    evidence = _evidence("Model | F1\nParser | 80.3\nTagger | 71.9", kind="table")
    (citation,) = cite("The tagger reaches 71.9 F1.", "How good is the tagger?", evidence).citations
    assert evidence[0].passage.text[citation.start : citation.end] == "Tagger | 71.9"


def test_a_chinese_answer_is_aligned_by_its_numbers_and_the_question_that_was_searched() -> None:
    found = cite(
        "该图有超过280M个节点。", "How many nodes does the literature graph have?", _evidence(MODEL, GRAPH)
    )
    assert [c.evidence for c in found.citations] == [1]


def test_without_evidence_nothing_is_cited() -> None:
    found = cite("It has 12 layers.", "How deep?", [])
    assert found.citations == ()
    assert found.uncited == ((0, 17),)
    assert found.unverified == ((7, 9),)


@pytest.mark.parametrize("answer", ["", " ", "\n"])
def test_an_empty_answer_claims_nothing(answer: str) -> None:
    assert cite(answer, "Why?", _evidence(GRAPH)).citations == ()


@given(st.text(max_size=80), st.text(max_size=40), st.lists(st.text(max_size=80), max_size=3))
def test_every_range_lies_in_its_text(answer: str, question: str, texts: list[str]) -> None:
    evidence = _evidence(*texts)
    found = cite(answer, question, evidence)
    for citation in found.citations:
        text = evidence[citation.evidence].passage.text
        assert 0 <= citation.start < citation.end <= len(text)
        assert SUPPORTED <= citation.support <= 1 or len(found.citations) > 1
    spans = {c.sentence for c in found.citations} | set(found.uncited)
    assert all(0 <= start < end <= len(answer) for start, end in spans | set(found.unverified))
    assert not {c.sentence for c in found.citations} & set(found.uncited)
