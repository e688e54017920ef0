import pytest

from mozi_engine.errors import QuestionError
from mozi_engine.prompts import language
from mozi_engine.questions import check, needs_rewriting


@pytest.mark.parametrize("empty", ["", "   ", "\n\t"])
def test_an_empty_question_is_refused_with_an_example(empty: str) -> None:
    with pytest.raises(QuestionError, match="empty") as caught:
        check(empty)
    assert "What data" in caught.value.hint


def test_a_question_of_ten_thousand_characters_is_refused_with_the_limit() -> None:
    with pytest.raises(QuestionError, match="10,000 characters; the limit is 2,000"):
        check("w" * 10_000)


def test_outer_and_inner_space_does_not_matter() -> None:
    assert check("  How \n large? ") == "How large?"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How large is the graph?", ""),
        ("图有多大？", "Chinese"),
        ("BERT 和 SPECTER 有什么区别？", "Chinese"),
        ("このグラフの大きさは?", "Japanese"),
        ("그래프는 얼마나 큰가요?", "Korean"),
        ("Насколько велик граф?", "Russian"),
        ("What does the parameter α of the model stand for?", ""),
        ("", ""),
    ],
)
def test_the_script_tells_the_language(text: str, expected: str) -> None:
    assert language(text) == expected


@pytest.mark.parametrize(
    "question",
    [
        "and the second one?",
        "Why?",
        "How was it trained?",
        "What about their limits in general?",
        "那第二个呢？",
    ],
)
def test_a_follow_up_that_leans_on_the_conversation_is_rewritten(question: str) -> None:
    spoken = language(question)
    assert needs_rewriting(question, is_follow_up=True, paper_language=spoken)
    assert not needs_rewriting(question, is_follow_up=False, paper_language=spoken)


def test_a_follow_up_that_stands_alone_is_searched_as_it_is() -> None:
    question = "Which dataset was used for training the entity linking model?"
    assert not needs_rewriting(question, is_follow_up=True, paper_language="")


def test_a_question_in_another_script_than_the_papers_is_rewritten() -> None:
    assert needs_rewriting("图有多大？", is_follow_up=False, paper_language="")
    assert not needs_rewriting("图有多大？", is_follow_up=False, paper_language="Chinese")
