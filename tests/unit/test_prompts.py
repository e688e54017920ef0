from mozi_engine.prompts import render, render_opening, render_standalone
from mozi_engine.types import Evidence, Turn
from tests.conftest import passage


def test_the_prompt_is_the_instructions_then_the_evidence_then_the_question() -> None:
    evidence = [
        Evidence(passage("The graph has 280M nodes.", section="Introduction"), 1.0, 1),
        Evidence(passage("It is deployed.", section=""), 0.5, 2),
    ]
    system, user = render("A Graph", evidence, "How many nodes?")
    assert system.role == "system"
    assert "reply exactly: Not in the paper." in system.text
    assert user == Turn(
        "user",
        'Paper: A Graph\n\nPassage from "Introduction":\nThe graph has 280M nodes.\n\n'
        "Passage:\nIt is deployed.\n\nQuestion: How many nodes?",
    )


def test_the_prompt_begins_with_the_paper_s_opening_which_is_not_said_twice() -> None:
    abstract, found = passage("We build a graph.", 0, "Abstract"), passage("It has 280M nodes.", 1, "Graph")
    evidence = [Evidence(found, 1.0, 1), Evidence(abstract, 0.5, 2)]
    system, user = render("A Graph", evidence, "How many nodes?", opening=(abstract,))
    begun = render_opening("A Graph", (abstract,))
    assert begun == (system, Turn("user", 'Paper: A Graph\n\nPassage from "Abstract":\nWe build a graph.'))
    assert user.text == (
        f'{begun[1].text}\n\nPassage from "Graph":\nIt has 280M nodes.\n\nQuestion: How many nodes?'
    )


def test_the_instructions_do_not_depend_on_the_question() -> None:
    assert render("A", [], "x")[0] == render("B", [], "图有多大？")[0]


def test_a_question_in_another_script_is_answered_in_its_language_from_the_searched_one() -> None:
    text = render("A", [], "图有多大？", "How large is the graph?")[1].text
    assert text.endswith("Question: 图有多大？ (How large is the graph?)\n\nAnswer in Chinese.")


def test_a_follow_up_is_rewritten_from_the_conversation() -> None:
    history = [Turn("user", "Which models?"), Turn("assistant", "BERT and SPECTER.")]
    _, user = render_standalone(history, "and the second one?", "English")
    assert user.text == (
        "User: Which models?\nAssistant: BERT and SPECTER.\nUser: and the second one?\n\n"
        "Complete question in English:"
    )
