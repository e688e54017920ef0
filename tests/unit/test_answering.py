from dataclasses import replace

import pytest

from mozi_engine.answering import Answerer, Done, EvidenceFound, Searching, Token
from mozi_engine.errors import QuestionError
from mozi_engine.prompts import begins, render_paper
from mozi_engine.retrieval.bm25 import Bm25
from mozi_engine.types import Answer, GenerationSettings, Paper, Paragraph, Prefill, Section, Turn
from tests.conftest import Scripted, passage

PASSAGES = [
    passage("The literature graph has more than 280M nodes.", 0, "Introduction"),
    passage("We train the parser on 1,200 labelled papers.", 1, "Training"),
    passage("Elephants are large animals.", 2, "Zoology", page=2),
]
PAPER = Paper(
    "id", "A Graph", (Section("Abstract", 1, (Paragraph("We build a graph.", "text", ()),)),), (), 2
)


def graph_answerer(*replies: str) -> tuple[Answerer, Scripted]:
    model = Scripted(list(replies))
    return Answerer(PAPER, Bm25(PASSAGES), model, None, 2, GenerationSettings()), model


def _ask(question: str, *replies: str, history: tuple[Turn, ...] = ()) -> Answer:
    done = list(graph_answerer(*replies)[0].answer(question, history))[-1]
    assert isinstance(done, Done)
    return done.answer


def test_events_come_in_order_and_done_is_the_last() -> None:
    answerer, model = graph_answerer("More than 280M nodes.")
    events = list(answerer.answer("How many nodes has the graph?"))
    assert [type(event) for event in events] == [EvidenceFound, Prefill, *[Token] * 4, Done]
    answer = events[-1].answer  # type: ignore[union-attr]
    assert answer.text == "More than 280M nodes."
    assert answer.verdict == "answered"
    assert answer.evidence[answer.citations[0].evidence].passage is PASSAGES[0]
    assert answer.timings.prompt_tokens == 10
    assert 0 < answer.timings.ttft_ms <= answer.timings.total_ms
    assert PASSAGES[0].text in model.prompts[0][1].text


@pytest.mark.parametrize(
    "refusal",
    [
        "Not in the paper.",
        "The paper does not mention elephants.",
        "This information is not provided in the passages.",
        "论文没有提到这一点。",
    ],
)
def test_a_refusal_is_not_in_the_paper_and_shows_the_nearest_passage(refusal: str) -> None:
    answer = _ask("How many nodes has the graph?", refusal)
    assert answer.verdict == "not_in_paper"
    assert answer.citations == ()
    assert answer.uncited == ()
    assert answer.evidence[0].passage is PASSAGES[0]


def test_what_nothing_in_the_paper_says_is_not_in_the_paper() -> None:
    assert _ask("What is the capital of France?", "Paris is the capital.").verdict == "not_in_paper"


def test_an_answer_supported_in_part_is_partial() -> None:
    answer = _ask("How many nodes?", "The graph has more than 280M nodes. Penguins cannot fly.")
    assert answer.verdict == "partial"
    assert [answer.text[a:b] for a, b in answer.uncited] == ["Penguins cannot fly."]


def test_what_is_expected_of_a_draft_is_what_it_is_asked_by() -> None:
    answerer, model = graph_answerer("280M.")
    question = "How many nodes has the graph?"
    list(answerer.answer(question))
    assert answerer.expected(f" {question}\n") == (*model.prompts[0], Turn("assistant", ""))
    assert begins(model.prompts[0], answerer.expected(question[:-1]))


@pytest.mark.parametrize("draft", ["", "  \n", "and the parser?", "图有多少节点？"])
def test_of_a_draft_that_only_the_model_could_search_nothing_is_expected(draft: str) -> None:
    history = (Turn("user", "How many nodes has the graph?"), Turn("assistant", "280M."))
    assert graph_answerer()[0].expected(draft, history) == ()


def test_with_the_whole_paper_read_every_draft_goes_on_from_it() -> None:
    history = (Turn("user", "How many nodes has the graph?"), Turn("assistant", "280M."))
    whole = replace(graph_answerer()[0], beginning=render_paper(PAPER.title, "We build a graph."))
    expected = whole.expected("and the par", history)
    assert begins(expected, whole.beginning or ())
    assert expected[-1].text == "Question: and the par"


def test_a_follow_up_is_searched_as_a_question_that_stands_alone() -> None:
    history = (Turn("user", "How many nodes has the graph?"), Turn("assistant", "280M."))
    rewritten = "How many labelled papers is the parser trained on?"
    answerer, model = graph_answerer(f" {rewritten}\nMore talk", "1,200 papers.")
    events = list(answerer.answer("and the parser?", history))
    assert events[0] == Searching(rewritten)
    assert isinstance(events[1], EvidenceFound)
    assert events[1].evidence[0].passage is PASSAGES[1]
    assert "and the parser?" in model.prompts[1][1].text


def test_a_chinese_question_is_searched_in_english_and_answered_in_chinese() -> None:
    answerer, model = graph_answerer("How many nodes does the graph have?", "超过280M个节点。")
    events = list(answerer.answer("图有多少个节点？"))
    assert events[0] == Searching("How many nodes does the graph have?")
    assert model.prompts[1][1].text.endswith("Answer in Chinese.")
    assert isinstance(events[-1], Done)
    assert events[-1].answer.verdict == "answered"


def test_a_rewriting_that_comes_out_empty_leaves_the_question() -> None:
    answerer, _ = graph_answerer(" ", "Yes.")
    assert isinstance(next(iter(answerer.answer("图有多少个节点？"))), EvidenceFound)


def test_closing_the_events_stops_the_generation() -> None:
    answerer, model = graph_answerer("one two three four")
    events = answerer.answer("How many nodes has the graph?")
    while not isinstance(next(events), Token):
        pass
    events.close()
    assert model.closed == 1


def test_an_empty_question_never_reaches_the_model() -> None:
    answerer, model = graph_answerer()
    with pytest.raises(QuestionError):
        list(answerer.answer("  "))
    assert model.prompts == []


def test_a_question_that_shares_no_word_with_the_paper_still_gets_an_answer() -> None:
    answer = _ask("Xyzzy plugh?", "Not in the paper.")
    assert (answer.verdict, answer.evidence) == ("not_in_paper", ())


@pytest.mark.parametrize(
    "answer",
    [
        "The dataset does not include test labels.",
        "Our model is not state-of-the-art.",
        "The loss is not specific to graphs.",
        "Words are not given equal importance.",
        "SQuAD 2.0 adds over 50,000 unanswerable questions.",
        "The learning rate was not reported in prior work, so it was tuned on the development set.",
    ],
)
def test_a_negative_finding_is_an_answer_and_no_refusal(answer: str) -> None:
    passages = [passage(answer, 0)]
    done = list(
        Answerer(PAPER, Bm25(passages), Scripted([answer]), None, 2, GenerationSettings()).answer(answer)
    )[-1]
    assert isinstance(done, Done)
    assert done.answer.verdict == "answered"


def test_the_abstract_is_read_whatever_is_asked_and_can_be_cited() -> None:
    abstract = passage("We describe a graph of the scientific literature.", 7, "Abstract")
    model = Scripted(["It describes a graph of the scientific literature."])
    answerer = Answerer(PAPER, Bm25(PASSAGES), model, None, 1, GenerationSettings(), opening=(abstract,))
    done = list(answerer.answer("How many labelled papers?"))[-1]
    assert isinstance(done, Done)
    assert abstract.text in model.prompts[0][1].text
    assert [item.passage for item in done.answer.evidence] == [PASSAGES[1], abstract]
    assert [citation.evidence for citation in done.answer.citations] == [1]


WHOLE = (Turn("system", "Answer."), Turn("user", "Paper: A Graph"))


def _whole(model: Scripted, *, abridged: bool = False) -> Answerer:
    return Answerer(PAPER, Bm25(PASSAGES), model, None, 1, GenerationSettings(), WHOLE, abridged)


def test_from_the_whole_paper_the_answer_leads_to_passages_that_the_question_did_not() -> None:
    model = Scripted(["The parser is trained on 1,200 labelled papers."])
    done = list(_whole(model).answer("How large is the literature graph?"))[-1]
    assert isinstance(done, Done)
    assert [item.passage.index for item in done.answer.evidence] == [0, 1]
    assert [citation.evidence for citation in done.answer.citations] == [1]
    assert PASSAGES[0].text not in model.prompts[0][1].text


def test_a_paper_read_in_part_is_asked_with_passages_beside_it() -> None:
    model = Scripted(["280M."])
    list(_whole(model, abridged=True).answer("How many nodes has the literature graph?"))
    assert PASSAGES[0].text in model.prompts[0][1].text


def test_a_follow_up_about_the_whole_paper_needs_no_rewriting() -> None:
    model = Scripted(["1,200."])
    history = (Turn("user", "How many nodes?"), Turn("assistant", "280M."))
    events = list(_whole(model).answer("and papers?", history))
    assert not any(isinstance(event, Searching) for event in events)
    assert [turn.text for turn in model.prompts[0][2:]] == ["280M.", "Question: and papers?"]


def test_a_follow_up_about_a_paper_read_in_part_is_searched_as_one_that_stands_alone() -> None:
    rewritten = "How many labelled papers is the parser trained on?"
    model = Scripted([rewritten, "1,200."])
    history = (Turn("user", "How many nodes?"), Turn("assistant", "280M."))
    events = list(_whole(model, abridged=True).answer("and the parser?", history))
    assert events[0] == Searching(rewritten)
    assert PASSAGES[1].text in model.prompts[1][-1].text


def test_who_knows_the_whole_paper_answers_a_foreign_question_before_it_is_reworded_for_the_search() -> None:
    model = Scripted(["超过280M个节点。", "How many nodes does the literature graph have?"])
    events = list(_whole(model).answer("图有多少个节点？"))
    kinds = [type(event) for event in events]
    assert kinds.index(Token) < kinds.index(Searching) < kinds.index(EvidenceFound)
    done = events[-1]
    assert isinstance(done, Done)
    assert done.answer.text == "超过280M个节点。"
    assert done.answer.verdict == "answered"
    assert done.answer.evidence[0].passage is PASSAGES[0]
    assert done.answer.timings.search_ms > 0


def test_a_long_conversation_forgets_its_beginning_rarely_and_by_whole_exchanges() -> None:
    history: list[Turn] = []
    beginnings = []
    for number in range(60):
        model = Scripted(["Yes."])
        list(_whole(model).answer(f"Question {number}?", tuple(history)))
        prompt = model.prompts[0]
        assert sum(len(turn.text) for turn in prompt) < 4000
        beginnings.append(prompt[1].text)
        history += [Turn("user", f"Question {number}?"), Turn("assistant", "word " * 20)]
    assert len(set(beginnings)) < 10
    assert all("Question: Question" in text for text in beginnings)
