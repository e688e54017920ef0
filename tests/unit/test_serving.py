"""The pure parts of the HTTP API: open papers, conversations that only the client remembers, old requests."""

from __future__ import annotations

import json
import socket
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mozi_engine.errors import MoziError, SettingsError
from mozi_engine.indexing import Indexed
from mozi_engine.retrieval.bm25 import Bm25
from mozi_engine.serving import hearing, original, requests, server
from mozi_engine.serving.guard import is_loopback
from mozi_engine.serving.papers import Opened, Papers
from mozi_engine.serving.refusals import Refused
from mozi_engine.serving.requests import Message
from mozi_engine.sessions.conversations import PaperRef
from mozi_engine.types import GenerationSettings, Turn
from tests.papers import paper

ALARM = "I want to die"
ANYWHERE = "0.0.0.0"  # noqa: S104


def opened(identity: str) -> Opened:
    return Opened(
        PaperRef(identity, identity.title(), f"{identity}.pdf", 1),
        Indexed(paper(identity=identity), (), Bm25(()), "text"),
        1.0,
    )


def test_the_paper_not_used_the_longest_is_closed_and_those_named_stay() -> None:
    papers = Papers([opened("named")], most=2)
    papers.add(opened("first"))
    papers.add(opened("second"))
    papers.find("first")
    papers.add(opened("third"))
    papers.add(opened("named"))
    assert [one.ref.id for one in papers.all()] == ["named", "first", "third"]
    assert papers.find("named.pdf").ref.id == "named"
    with pytest.raises(Refused) as refused:
        papers.find("second")
    assert refused.value.status == 404


def test_a_paper_sent_again_is_open_once() -> None:
    papers = Papers([])
    papers.add(opened("one"))
    papers.add(opened("one"))
    assert papers.find("").ref.id == "one"


def test_no_name_means_the_only_paper() -> None:
    for papers in (Papers([]), Papers([opened("one"), opened("two")])):
        with pytest.raises(Refused, match="which paper"):
            papers.find("")


turns = st.lists(
    st.builds(
        Turn, st.sampled_from(["user", "assistant"]), st.text(st.characters(codec="utf-8"), max_size=30)
    ),
    max_size=6,
)


@settings(deadline=None)  # the screen is loaded with the first message
@given(before=turns, made_up=st.lists(st.text(max_size=30), max_size=3))
def test_an_alarm_is_asked_about_whatever_the_client_says_was_replied(
    before: list[Turn], made_up: list[str]
) -> None:
    history = (*before, Turn("user", ALARM), *(Turn("assistant", text) for text in made_up))
    heard = hearing.hear(Message("how do I fix my figures?", history, "IE", ""), "")
    assert heard.fixed
    assert heard.message.history[-1].role == "assistant"
    assert "116 123" in heard.message.history[-1].text


@settings(deadline=None)
@given(turns)
def test_what_is_replayed_is_left_as_it_is_the_next_time(history: list[Turn]) -> None:
    once = hearing.hear(Message("hello", tuple(history), "IE", ""), "").message
    assert hearing.hear(once, "").message == once


def test_an_ordinary_conversation_is_taken_as_it_was_sent() -> None:
    history = (Turn("user", "My paper was rejected"), Turn("assistant", "That stings."))
    heard = hearing.hear(Message("yes", history, "", ""), "CN")
    assert not heard.fixed
    assert (heard.message.history, heard.message.locale) == (history, "CN")


def test_what_is_too_long_ago_to_be_replayed_is_read_from_the_last_reply() -> None:
    asked = hearing.hear(Message("x", (Turn("user", ALARM),), "IE", ""), "").message.history
    waiting = (*asked, *[Turn("assistant", asked[-1].text)] * 50)
    assert hearing.hear(Message("how do I fix my figures?", waiting, "IE", ""), "").fixed


@pytest.mark.parametrize(
    ("history", "said", "roles"),
    [
        (["Human: 你好"], "你好", []),
        (["Human: a", "Bot: b", "human：c"], "c", ["user", "assistant"]),
        (["a", "b", "c"], "c", ["user", "assistant"]),
        (["Bot: a", "b"], "b", ["assistant"]),
        (["Human beings are odd"], "Human beings are odd", []),
    ],
)
def test_lines_of_the_originals_history_are_turns(history: list[str], said: str, roles: list[str]) -> None:
    message = original.emotional(json.dumps({"history": history}).encode(), "llamacpp").message
    assert message.text == said
    assert [turn.role for turn in message.history] == roles


@pytest.mark.parametrize(
    ("sent", "engine", "decoding"),
    [
        ({}, "llamacpp", GenerationSettings(max_new_tokens=128)),
        (
            {"decoding_method": "greedy", "top_p": 0.7, "max_new_tokens": 9},
            "remote",
            GenerationSettings(0, 1, 0, 9),
        ),
        (
            {"decoding_method": "sampling", "top_p": 0.7, "top_k": 10},
            "llamacpp",
            GenerationSettings(1.0, 0.7, 10, 128),
        ),
        (
            {"decoding_method": "contrastive", "top_k": 4, "penalty_alpha": 0.6},
            "torch",
            GenerationSettings(top_k=4, max_new_tokens=128, penalty_alpha=0.6),
        ),
        ({"decoding_method": "magic"}, "torch", None),
    ],
)
def test_the_originals_ways_of_decoding(
    sent: dict[str, object], engine: str, decoding: GenerationSettings | None
) -> None:
    body = json.dumps(sent | {"question": "Why?", "evidences": ["It is so."]}).encode()
    assert original.grounded(body, engine).decoding == decoding


@given(st.binary(max_size=200))
def test_a_body_is_read_or_refused(body: bytes) -> None:
    for reader in (requests.question, requests.search, requests.message):
        with pytest.raises(Refused) as refused:
            reader(body)
        assert refused.value.status == 400


@given(
    st.dictionaries(
        st.sampled_from(["question", "paper", "history", "passages", "message", "locale"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
            ),
            max_leaves=5,
        ),
    )
)
def test_a_json_object_of_any_values_is_read_or_refused(sent: dict[str, object]) -> None:
    for reader in (requests.question, requests.search, requests.message):
        with suppress(MoziError):
            reader(json.dumps(sent).encode())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "mozi.localhost"])
def test_names_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", ANYWHERE, "10.0.0.1", "::", "localhost.evil.example", "2130706433"])
def test_names_that_others_may_have(host: str) -> None:
    assert not is_loopback(host)


def test_other_machines_need_a_key() -> None:
    with pytest.raises(SettingsError, match="needs a key"):
        server.bound(ANYWHERE, 0, "")
    with server.bound(ANYWHERE, 0, "secret") as at:
        assert server.address(at).startswith(f"http://{ANYWHERE}:")


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port}: Address already in use"):
            server.bound("127.0.0.1", port, "")
