"""The companion as a front end meets it: a scripted model, and one that must not be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from mozi_engine.errors import QuestionError
from mozi_engine.prompts import begins, language
from mozi_engine.support import care, companion
from mozi_engine.support.companion import Companion, Replied, Reply, Token, introduction
from mozi_engine.support.crisis import screen
from mozi_engine.support.memory import CHARACTERS, Memory, Recalled, first_kept
from mozi_engine.types import Evidence, GenerationSettings, Turn
from tests.conftest import Scripted, passage

ENGLISH = "That sounds exhausting. What happened?"
CHINESE = "听起来很累。今天怎么了？"


def told(talk: Companion, message: str, history: Sequence[Turn] = ()) -> Reply:
    """The reply; what was shown on the way is all of it."""
    *events, last = talk.reply(message, history)
    assert isinstance(last, Replied)
    assert "".join(event.text for event in events if isinstance(event, Token)) == last.reply.text
    return last.reply


def companion_of(*replies: str, locale: str = "CN") -> tuple[Companion, Scripted]:
    model = Scripted(list(replies))
    return Companion(model, GenerationSettings(), locale), model


def conversation(talk: Companion, *messages: str) -> list[Reply]:
    history: list[Turn] = []
    replies = []
    for message in messages:
        replies.append(told(talk, message, history))
        history += [Turn("user", message), Turn("assistant", replies[-1].text)]
    return replies


def test_it_replies_and_says_why() -> None:
    talk, model = companion_of(ENGLISH)
    reply = told(talk, "I'm so tired of this paper")
    assert reply.text == ENGLISH
    assert (reply.strategy, reply.reason) == ("reflection", "the person names a feeling")
    assert reply.risk is None
    assert reply.timings.completion_tokens or reply.timings.total_ms > 0
    assert model.closed == 1


@pytest.mark.parametrize(
    ("message", "scripted"),
    [
        ("My paper was rejected", ENGLISH),
        ("My paper was rejected", CHINESE),
        ("论文又被拒了", CHINESE),
        ("论文又被拒了", ENGLISH),
        ("reviewer 2 说我的 baseline 太弱了", ENGLISH),
        ("论文又被拒了", ""),
        ("My paper was rejected", "1. \n2. \n"),
        ("I was rejected", "I feel sad. You have depression. Everything will be fine."),
    ],
)
def test_the_reply_is_in_the_persons_language_whatever_the_model_says(message: str, scripted: str) -> None:
    talk, _ = companion_of(scripted)
    reply = told(talk, message)
    assert reply.text
    assert language(reply.text) == language(message)


def test_the_prompt_is_in_the_persons_language_and_names_the_strategy() -> None:
    talk, model = companion_of(CHINESE, ENGLISH)
    conversation(talk, "论文又被拒了，好难过")
    told(talk, "I'm sad")
    chinese, english = model.prompts
    assert language(chinese[0].text) == "Chinese"
    assert "说出对方的心情" in chinese[-1].text
    assert "name the feeling" in english[-1].text


def test_the_conversation_is_in_the_prompt() -> None:
    talk, model = companion_of(ENGLISH, ENGLISH)
    conversation(talk, "My cells died.", "All of them, I mean the whole batch.")
    assert [turn.text for turn in model.prompts[1][-3:-1]] == ["My cells died.", ENGLISH]


@pytest.mark.parametrize(
    ("draft", "message", "locale"),
    [
        ("", "论文被拒了", "CN"),
        ("", "My paper was rejected", "en-GB"),
        ("论文", "论文被拒了", "en-GB"),
        ("  My paper ", "My paper was rejected", "CN"),
        ("My paper was rejected", "My paper was rejected", ""),
    ],
)
def test_a_prompt_goes_on_from_what_was_expected_of_its_draft(draft: str, message: str, locale: str) -> None:
    talk, model = companion_of(CHINESE, locale=locale)
    expected = talk.expected(draft)
    told(talk, message)
    assert begins(model.prompts[-1], expected)


def test_without_a_word_the_language_is_that_of_the_message_before() -> None:
    talk, model = companion_of(ENGLISH, locale="CN")
    history = (Turn("user", "I was rejected"), Turn("assistant", "That hurts."))
    expected = talk.expected("", history)
    told(talk, "Again.", history)
    assert begins(model.prompts[-1], expected)


# The crisis gate


@pytest.mark.parametrize(
    "message", ["I want to die", "我不想活了", "I've been giving my things away", "不想醒来了"]
)
def test_on_risk_no_model_is_asked(message: str) -> None:
    talk, model = companion_of()
    reply = told(talk, message)
    assert not model.prompts
    assert reply.strategy == "fixed"
    assert reply.risk
    assert "12356" in reply.text
    asks = "结束自己的生命吗？" if language(message) else "ending your life?"
    assert asks in reply.text


def test_the_setting_decides_the_helplines() -> None:
    talk, _ = companion_of(locale="en-GB")
    assert "116 123" in told(talk, "I want to die").text


@pytest.mark.parametrize(
    "message", ["My reviewer is unfair", "tell me a joke", "what's the weather", "stay with me"]
)
def test_ordinary_chat_does_not_go_on_until_the_person_answers(message: str) -> None:
    talk, model = companion_of()
    replies = conversation(talk, "I want to die", message, message)
    assert not model.prompts
    assert all("Yes or no is enough" in reply.text for reply in replies[1:])


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("I want to die", "No, I was just venting"),
        ("我想死", "没有，就是抱怨一下"),
        ("我想死", "不会的，我没事"),
        ("I want to die", "no"),
    ],
)
def test_after_a_no_the_conversation_goes_on(asked: str, answer: str) -> None:
    talk, model = companion_of(CHINESE if "我" in asked else ENGLISH)
    more = "论文太难写了" if "我" in asked else "The paper is just so hard to write"
    replies = conversation(talk, asked, answer, more)
    assert replies[1].reason == "the person says no"
    assert replies[2].strategy != "fixed"
    assert len(model.prompts) == 1


@pytest.mark.parametrize(
    "answer",
    ["yes", "I guess", "maybe", "I don't know", "not really", "是的", "有点", "不知道", "I do want to die"],
)
def test_doubt_counts_as_yes(answer: str) -> None:
    talk, model = companion_of()
    replies = conversation(talk, "I want to die", answer, "the reviewer was unfair")
    assert replies[1].reason == "the person says yes"
    assert replies[2].reason == "not safe yet, as far as is known"
    assert all("12356" in reply.text for reply in replies)
    assert not model.prompts


@pytest.mark.parametrize("answer", ["My sister is here now", "I called them", "室友过来了，陪着我"])
def test_after_a_yes_it_goes_on_when_the_person_is_not_alone(answer: str) -> None:
    talk, _ = companion_of(ENGLISH)
    replies = conversation(talk, "I want to die", "yes", answer)
    assert replies[2].reason == "the person is safe, or with someone"
    history = [Turn("user", answer), Turn("assistant", replies[2].text)]
    assert told(talk, "It was the rejection that did it", history).text == ENGLISH


@pytest.mark.parametrize(
    "answer", ["yes, everything is arranged, nobody needs to worry", "yes, the letters are written"]
)
def test_after_a_yes_a_mere_yes_does_not_outweigh_what_else_is_said(answer: str) -> None:
    assert screen(answer)
    talk, model = companion_of()
    replies = conversation(talk, "I want to die", "yes", answer)
    assert replies[2].reason == "not safe yet, as far as is known"
    assert not model.prompts


def test_who_wants_to_stop_may_and_is_asked_again_on_return() -> None:
    talk, model = companion_of()
    replies = conversation(talk, "I want to die", "stop", "My reviewer is unfair")
    assert replies[1].reason == "the person wants to stop"
    assert "12356" in replies[1].text
    assert replies[2].reason == "not answered yet"
    assert not model.prompts


def test_a_session_that_is_taken_up_again_goes_on_asking() -> None:
    first, _ = companion_of()
    asked = told(first, "I want to die").text
    later, model = companion_of()
    reply = told(later, "So, about my deadline", [Turn("user", "I want to die"), Turn("assistant", asked)])
    assert reply.reason == "not answered yet"
    assert not model.prompts


@pytest.mark.parametrize(
    "message", ["Are you a real person?", "are you a therapist", "你是真人吗", "你是不是医生"]
)
def test_it_never_passes_for_a_person(message: str) -> None:
    talk, model = companion_of()
    text = told(talk, message).text
    assert ("Not a person, and not a clinician" in text) or ("不是真人，也不是医生" in text)
    assert not model.prompts


def test_the_introduction_says_what_it_is() -> None:
    assert introduction("CN") == care.INTRODUCTION["Chinese"]
    assert introduction("en-GB") == care.INTRODUCTION["English"]
    assert "not a person" in introduction("en-GB")


# Memory


def turns(count: int, size: int = 200) -> list[Turn]:
    return [Turn("assistant" if n % 2 else "user", f"{n} ".ljust(size, "x")) for n in range(count)]


@pytest.mark.parametrize("count", range(0, 80, 2))
def test_what_is_kept_is_whole_exchanges_within_the_budget(count: int) -> None:
    history = turns(count)
    start = first_kept(history, 4000)
    kept = history[start:]
    assert not kept or kept[0].role == "user"
    assert sum(len(turn.text) for turn in kept) <= 4000
    assert start == 0 or count * 200 > 4000


def test_one_long_exchange_is_kept_whole() -> None:
    history = [*turns(4), Turn("user", "x" * 9000), Turn("assistant", "y")]
    assert first_kept(history, 4000) == 4


def test_older_turns_are_summarised_once() -> None:
    history = turns(40)
    talk, model = companion_of("They lost a paper.", ENGLISH, ENGLISH)
    assert talk.expected("I'm", history) == ()
    told(talk, "I'm sad", history)
    summarising, replying = model.prompts
    assert "0 xxx" in summarising[1].text
    assert replying[0].text.endswith("Earlier in the conversation: They lost a paper.")
    assert sum(len(turn.text) for turn in replying[5:-1]) <= CHARACTERS
    assert begins(replying, talk.expected("I'm", history))
    told(talk, "I'm still sad", [*history, Turn("user", "I'm sad"), Turn("assistant", ENGLISH)])
    assert len(model.prompts) == 3


def test_a_very_long_conversation_is_summarised_from_its_newer_part() -> None:
    talk, model = companion_of("They lost a paper.", ENGLISH)
    told(talk, "I'm sad", turns(400))
    assert len(model.prompts[0][1].text) < 1.5 * CHARACTERS


def talked(name: str, count: int = 40) -> list[Turn]:
    """A conversation in which everything that is said begins with the name."""
    return [Turn(turn.role, name + turn.text) for turn in turns(count)]


class Telling:
    """A generator that sums up what it is given by the name of the conversation that it begins with."""

    name = "telling"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def stream(self, messages: Sequence[Turn], settings: GenerationSettings) -> Iterator[str]:
        self.asked.append(messages[-1].text)
        yield messages[-1].text.split()[1]


def recalled(memory: Memory, history: Sequence[Turn]) -> Recalled:
    recall = memory.recall(history)
    try:
        while True:
            next(recall)
    except StopIteration as end:
        value: Recalled = end.value
        return value


def test_a_summary_is_gone_on_from_as_the_conversation_grows() -> None:
    model = Telling()
    memory = Memory(model, summaries=4)
    history = talked("a ", 200)
    starts = {end - len(recalled(memory, history[:end]).recent) for end in range(0, 202, 2)} - {0}
    assert len(model.asked) == len(starts) > 2
    assert [asked.startswith("Before: a") for asked in model.asked] == [False, *[True] * (len(starts) - 1)]
    told = [turn.text for turn in history[: max(starts)]]
    assert [sum(text in asked for asked in model.asked) for text in told] == [1] * len(told)


def test_what_is_said_a_second_time_needs_no_second_summary() -> None:
    model = Telling()
    memory = Memory(model)
    first = recalled(memory, talked("a "))
    assert recalled(memory, talked("a ")) == memory.known(talked("a ")) == first
    assert len(model.asked) == 1


def test_conversations_that_share_a_memory_do_not_mix() -> None:
    model = Telling()
    memory = Memory(model, summaries=2)
    for _ in range(3):
        assert recalled(memory, talked("a ")).summary == "a"
        assert recalled(memory, talked("b ")).summary == "b"
    assert len(model.asked) == 2


@pytest.mark.parametrize(
    "edited",
    [
        lambda older: [Turn("user", "b"), *older[1:]],
        lambda older: older[2:],
        lambda older: [Turn("assistant", older[0].text), *older[1:]],
        lambda older: [Turn("user", older[0].text + older[1].text), Turn("assistant", ""), *older[2:]],
        lambda older: [*older[:3], Turn("assistant", "b"), *older[4:]],
    ],
)
def test_an_edited_conversation_is_summarised_anew(edited: Callable[[list[Turn]], list[Turn]]) -> None:
    model = Telling()
    memory = Memory(model, summaries=4)
    history = talked("a ")
    recalled(memory, history)
    assert memory.known(edited(history)) is None
    recalled(memory, edited(history))
    assert not model.asked[1].startswith("Before:")


def test_as_many_summaries_are_held_as_was_said_those_used_last() -> None:
    model = Telling()
    memory = Memory(model, summaries=2)
    for name in ("a ", "b ", "a ", "c "):
        recalled(memory, talked(name))
    assert [memory.known(talked(name)) is not None for name in ("a ", "b ", "c ")] == [True, False, True]


def test_a_model_that_does_not_stop_in_time_leaves_a_summary_that_is_not_long() -> None:
    assert len(recalled(Memory(Scripted(["on and on " * 1000])), turns(40)).summary) == 1000


def test_a_summary_that_was_broken_off_is_not_held() -> None:
    model = Scripted(["They lost a paper.", "They lost a paper."])
    memory = Memory(model)
    broken = memory.recall(turns(40))
    next(broken)
    broken.close()
    assert memory.known(turns(40)) is None
    assert recalled(memory, turns(40)).summary == "They lost a paper."


def test_threads_share_a_memory() -> None:
    memory = Memory(Telling(), summaries=3)
    names = [f"{letter} " for letter in "abcdefgh"] * 20
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda name: recalled(memory, talked(name)).summary, names))
    assert found == [name.strip() for name in names]
    assert sum(memory.known(talked(name)) is not None for name in sorted(set(names))) == 3


# The paper


class OnePassage:
    def search(self, query: str, k: int) -> list[Evidence]:
        assert "baseline" in query
        return [Evidence(passage("Our baseline is BM25.", page=4), 1.0, 1)]


def test_the_paper_comes_in_when_the_person_speaks_of_it() -> None:
    model = Scripted([ENGLISH, ENGLISH])
    talk = Companion(model, GenerationSettings(), "CN", OnePassage())
    reply = told(talk, "the reviewers say my baseline is weak")
    assert reply.evidence[0].passage.page == 4
    assert "page 4" in model.prompts[0][-1].text
    assert "Our baseline is BM25." in model.prompts[0][-1].text
    assert told(talk, "I'm so tired").evidence == ()


# What can be wrong with a message


@pytest.mark.parametrize(
    ("message", "said"),
    [("", "empty"), (" \n ", "empty"), ("x" * 4001, "4,001 characters"), ("\udcff", "UTF-8")],
)
def test_a_message_that_is_none_is_refused(message: str, said: str) -> None:
    talk, model = companion_of()
    with pytest.raises(QuestionError, match=said):
        told(talk, message)
    assert not model.prompts


def test_stopping_closes_the_model() -> None:
    talk, model = companion_of("One sentence. " * 50)
    events = talk.reply("I'm so tired")
    while not isinstance(next(events), companion.Token):
        pass
    events.close()
    assert model.closed == 1
