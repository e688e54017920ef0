"""Nothing that was said is lost, and nothing that was deleted stays."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mozi_engine.errors import DataError
from mozi_engine.sessions import database, schema
from mozi_engine.sessions.conversations import PaperRef, begin
from mozi_engine.sessions.store import Store
from mozi_engine.types import Answer, Citation, Evidence, Paper, Timings, Turn
from tests.conftest import passage

PAPER = PaperRef("a" * 64, "Construction of the Literature Graph", "arxiv:1805.02262", 8)
OTHER = PaperRef("b" * 64, "", "/papers/draft.pdf", 3)
ANSWER = Answer(
    "It has 280M nodes.",
    "answered",
    (
        Evidence(passage("The graph has 280M nodes.", 3, page=2), 1.5, 1),
        Evidence(passage("It is large.", 4), 0.5, 2),
    ),
    (Citation((0, 18), 0, 0, 25, 0.9),),
    (),
    (),
    Timings(1.0, 2.0, 3.0, 40, 5),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "sessions.db"


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, path: Path) -> Iterator[Store]:
    with Store.open(path) if request.param == "disk" else Store.private() as opened:
        yield opened


def test_a_conversation_is_kept_as_it_happened(store: Store) -> None:
    session = begin("paper", PAPER, "qwen")
    first = store.ask(session, "How large is it?")
    store.grow(first, "It has ")
    store.grow(first, "280M")
    assert [(e.text, e.state) for e in store.load(session.id).exchanges] == [("It has 280M", "pending")]
    store.settle(first, ANSWER)
    stopped = store.ask(session, "And the edges?")
    store.grow(stopped, "Many")
    store.stop(stopped)
    failed = store.ask(session, "Why?")
    store.fail(failed, "the server refused")
    told = store.ask(replace(session, mode="support"), "我很累")
    store.settle(told, "听起来你撑了很久。", "reflection of feelings")

    kept = store.load(session.id)
    assert [(e.mode, e.text, e.state, e.answer, e.detail) for e in kept.exchanges] == [
        ("paper", ANSWER.text, "answered", ANSWER, ""),
        ("paper", "Many", "stopped", None, ""),
        ("paper", "", "failed", None, "the server refused"),
        ("support", "听起来你撑了很久。", "answered", None, "reflection of feelings"),
    ]
    assert (kept.session.id, kept.session.mode, kept.session.paper) == (session.id, "support", PAPER)
    assert kept.exchanges[0].asked.tzinfo is UTC


def test_only_what_was_answered_is_history(store: Store) -> None:
    session = begin("paper", PAPER)
    store.settle(store.ask(session, "How large?"), ANSWER)
    store.stop(store.ask(session, "And?"))
    store.settle(store.ask(replace(session, mode="support"), "I'm tired."), "That sounds hard.")
    kept = store.load(session.id)
    about = [Turn("user", "How large?"), Turn("assistant", ANSWER.text)]
    told = [Turn("user", "I'm tired."), Turn("assistant", "That sounds hard.")]
    assert (kept.history("paper"), kept.history("support"), kept.history()) == (about, told, about + told)


def test_what_has_ended_stays_as_it_is(store: Store) -> None:
    session = begin("paper", PAPER)
    exchange = store.ask(session, "How large?")
    store.settle(exchange, ANSWER)
    store.stop(exchange)
    store.fail(exchange, "too late")
    assert store.load(session.id).exchanges[0].state == "answered"


def test_the_last_used_session_comes_first(store: Store) -> None:
    assert store.recent() == ()
    graph, draft = begin("paper", PAPER, "qwen"), begin("paper", OTHER)
    store.ask(graph, "one")
    store.ask(draft, "two")
    store.ask(graph, "three")
    assert [(s.session.id, s.count, s.question) for s in store.recent()] == [
        (graph.id, 2, "three"),
        (draft.id, 1, "two"),
    ]
    assert [s.question for s in store.recent(limit=1)] == ["three"]
    assert [s.question for s in store.recent(paper=OTHER.id)] == ["two"]


def test_a_session_that_asks_nothing_leaves_no_trace(store: Store) -> None:
    begin("paper", PAPER)
    assert (store.recent(), store.papers()) == ((), ())


def test_the_next_question_writes_down_what_was_switched(store: Store) -> None:
    session = begin("support", model="qwen")
    store.ask(session, "Hello")
    store.ask(replace(session, mode="paper", paper=OTHER, model="smol"), "What is this?")
    kept = store.load(session.id)
    assert (kept.session.mode, kept.session.paper, kept.session.model) == ("paper", OTHER, "smol")
    assert [(e.mode, e.model) for e in kept.exchanges] == [("support", "qwen"), ("paper", "smol")]


def test_a_session_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    one, two = replace(begin("paper"), id="abc000000000"), replace(begin("paper"), id="abd000000000")
    for session in (one, two):
        store.ask(session, "?")
    assert store.load("ABC").session.id == one.id
    for wanted, message in [
        ("ab", "2 conversations begin with 'ab'"),
        ("x", "no conversation begins with 'x'"),
        ("", "no conversation begins with ''"),
        ("%", "no conversation begins with '%'"),
        ("a\udce4", "no conversation begins with 'a\\udce4'"),
    ]:
        with pytest.raises(DataError, match=message.replace("\\", "\\\\")) as raised:
            store.load(wanted)
        assert raised.value.hint == "mozi sessions list"


def test_papers_are_remembered_and_forgotten(store: Store) -> None:
    better = replace(PAPER, title="A Better Title")
    store.noticed(PAPER)
    store.noticed(OTHER)
    store.noticed(better)
    store.ask(begin("paper", better), "How large?")
    store.ask(begin("support", better), "I'm tired.")
    store.noticed(replace(PAPER, title=""))  # as long as only its text is read
    entries = store.papers()
    assert [(e.paper, e.questions) for e in entries] == [(better, 1), (OTHER, 0)]
    assert (datetime.now(UTC) - entries[0].opened).total_seconds() < 60
    assert [e.paper for e in store.papers(limit=1)] == [better]
    store.forget(PAPER.id)
    store.forget("no such paper")
    assert [e.paper for e in store.papers()] == [OTHER]
    assert store.recent()[0].session.paper == better


def test_a_paper_is_reached_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "draft.pdf").touch()
    paper = Paper("c" * 64, "", (), (), 4)
    assert PaperRef.of(paper, "draft.pdf").reference == str(tmp_path / "draft.pdf")
    assert PaperRef.of(paper, "draft.pdf").name == "draft.pdf"
    assert PaperRef.of(paper, "arxiv:1805.02262").reference == "arxiv:1805.02262"


@given(st.lists(st.text(max_size=8), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
def test_any_text_grows(store: Store, pieces: list[str]) -> None:
    session = begin("paper")
    exchange = store.ask(session, "?")
    for piece in pieces:
        store.grow(exchange, piece)
    assert store.load(session.id).exchanges[0].text == "".join(pieces)


def test_half_a_character_does_no_harm(store: Store) -> None:
    session = begin("paper")
    exchange = store.ask(session, "\ud83d\ude00 \ud83d")  # a pair, as some servers send it, and a half
    store.settle(exchange, replace(ANSWER, text="caf\udce9"), "\udce9")
    (kept,) = store.load(session.id).exchanges
    assert (kept.question, kept.text, kept.detail) == ("😀 \ufffd", "caf\ufffd", "\ufffd")


def test_any_thread_may_write(store: Store) -> None:
    session = begin("paper", PAPER)

    def talk(name: int) -> None:
        for _ in range(5):
            exchange = store.ask(session, f"{name}?")
            for _ in range(5):
                store.grow(exchange, str(name))
            store.settle(exchange, str(name) * 5)

    threads = [threading.Thread(target=talk, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = store.load(session.id).exchanges
    assert len(kept) == 20
    assert all(e.text == e.question[0] * 5 and e.state == "answered" for e in kept)


# On the disk


def test_everything_is_there_when_opened_again(path: Path) -> None:
    session = begin("paper", PAPER, "qwen")
    with Store.open(path) as store:
        store.noticed(PAPER)
        store.settle(store.ask(session, "How large?"), ANSWER)
    with Store.open(path) as store:
        assert store.load(session.id).exchanges[0].answer == ANSWER
        assert [e.paper for e in store.papers()] == [PAPER]
        assert store.set_aside is None


def test_opening_and_reading_need_not_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_PATIENCE", 0.05)
    with Store.open(path) as store:
        store.ask(begin("paper"), "?")
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with Store.open(path) as store:
        assert len(store.recent()) == 1
        with pytest.raises(DataError, match=r"another program keeps .* busy"):
            store.ask(begin("paper"), "!")
    writer.close()


def test_only_its_owner_reads_it(path: Path) -> None:
    with Store.open(path) as store:
        store.ask(begin("paper"), "?")
        files = list(path.parent.iterdir())
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert len(files) == 3  # the file, its log, and the log's index


def test_it_lies_with_the_data(home: Path) -> None:
    with Store.open() as store:
        assert store.path == home / "data" / "sessions.db"


def test_a_private_store_writes_nothing(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    with Store.private() as store:
        session = begin("support")
        for _ in range(50):
            store.settle(store.ask(session, "A secret " * 1000), "Kept to ourselves. " * 1000)
        assert store.recent()[0].count == 50
        store.delete(session.id)
        assert store.path is None
        assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("others", [0, 1])
def test_deleted_words_are_nowhere_on_the_disk(path: Path, others: int) -> None:
    secrets = [b"PURPLE-ELEPHANT", b"280M nodes", b"CRIMSON", "我想退学".encode()]
    stay, leave = begin("paper", PAPER), begin("paper", OTHER)
    bystanders = [Store.open(path) for _ in range(others)]
    with Store.open(path) as store:
        store.ask(stay, "STAYS")
        for number in range(30):
            exchange = store.ask(leave, f"PURPLE-ELEPHANT {number}")
            for _ in range(20):
                store.grow(exchange, "CRIMSON ")
            store.settle(exchange, ANSWER if number % 2 else "我想退学" * 200)
        for bystander in bystanders:
            bystander.recent()
        assert all(any(secret in file for file in files(path)) for secret in secrets)
        store.delete(leave.id[:6])
        assert not [secret for secret in secrets for file in files(path) if secret in file]
        assert any(b"STAYS" in file for file in files(path))
        assert [s.session.id for s in store.recent()] == [stay.id]
        store.noticed(PAPER)
        store.clear()
        assert (store.recent(), store.papers()) == ((), ())
        assert not any(b"STAYS" in file or b"Literature" in file for file in files(path))
    for bystander in bystanders:
        bystander.close()


def files(path: Path) -> list[bytes]:
    return [file.read_bytes() for file in path.parent.iterdir()]


def test_deleting_is_all_or_nothing(store: Store) -> None:
    session = begin("paper")
    store.ask(session, "?")
    with pytest.raises(DataError, match="no conversation begins with 'nope'"):
        store.delete(session.id, "nope")
    assert len(store.recent()) == 1


def test_words_that_another_reader_holds_are_not_called_deleted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_PATIENCE", 0.05)
    session = begin("paper")
    with Store.open(path) as store:
        store.ask(session, "?")
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM sessions").fetchall()
        with pytest.raises(DataError, match="another mozi keeps the old words"):
            store.delete(session.id)
        reader.close()
        store.clear()


def test_what_was_deleted_elsewhere_stays_deleted(path: Path) -> None:
    session = begin("paper", PAPER)
    with Store.open(path) as here, Store.open(path) as there:
        exchange = here.ask(session, "How large?")
        there.delete(session.id)
        here.grow(exchange, "It has")
        here.settle(exchange, ANSWER)
        assert here.recent() == ()
        here.ask(session, "And the edges?")
        assert [(s.count, s.question) for s in there.recent()] == [(1, "And the edges?")]


def test_an_answer_under_way_reads_as_stopped_elsewhere(path: Path) -> None:
    session = begin("paper")
    with Store.open(path) as here, Store.open(path) as there:
        exchange = here.ask(session, "How large?")
        here.grow(exchange, "It")
        assert here.load(session.id).exchanges[0].state == "pending"
        assert there.load(session.id).exchanges[0].state == "stopped"
        here.settle(exchange, ANSWER)
        assert there.load(session.id).exchanges[0].state == "answered"


def test_a_full_disk_is_said_and_what_was_kept_stays(path: Path) -> None:
    session = begin("paper")
    with Store.open(path) as store:
        exchange = store.ask(session, "How large?")
        ((pages,),) = store._database.rows("PRAGMA page_count")
        store._database.rows(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(DataError, match="no space left") as raised:
            [store.grow(exchange, "and so on ") for _ in range(1000)]
        assert "disk space" in raised.value.hint
        kept = store.load(session.id).exchanges[0].text
        assert kept == "and so on " * (len(kept) // 10) != ""
        store._database.rows("PRAGMA max_page_count = 100000")
        store.grow(exchange, "more")
        assert store.load(session.id).exchanges[0].text == kept + "more"


@pytest.mark.parametrize("content", [b"no database" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_set_aside(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    session = begin("paper")
    with Store.open(path) as store:
        store.ask(session, "?")
        assert store.set_aside
        assert store.set_aside.read_bytes() == content
    with Store.open(path) as store:
        assert store.set_aside is None
        assert store.load(session.id)


def fill(path: Path) -> None:
    """Conversations enough for many pages, all of them in the file itself."""
    with Store.open(path) as store:
        for _ in range(50):
            store.settle(store.ask(begin("paper"), "How large? " * 50), "It is large. " * 50)
        store._database.wipe_log()


def damage(path: Path) -> None:
    """Overwrite all but the first page."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


def test_damage_within_is_found_on_opening(path: Path) -> None:
    fill(path)
    damage(path)
    with Store.open(path) as store:
        assert store.set_aside
        assert store.recent() == ()


def test_damage_that_happens_meanwhile_is_said_and_the_next_question_is_kept(path: Path) -> None:
    with Store.open(path) as store:
        fill(path)
        damage(path)
        with pytest.raises(DataError, match="was damaged; it is now") as raised:
            store.recent()
        assert ".recover" in raised.value.hint
        session = begin("paper")
        store.ask(session, "after")
        assert store.load(session.id).exchanges[0].question == "after"


def test_a_newer_file_is_left_alone(path: Path) -> None:
    Store.open(path).close()
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(DataError, match="newer mozi") as raised:
        Store.open(path)
    assert "update mozi" in raised.value.hint
    assert path.read_bytes() == before


def test_an_older_file_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = begin("paper", PAPER)
    with Store.open(path) as store:
        store.settle(store.ask(session, "How large?"), ANSWER)
    step = ("ALTER TABLE sessions ADD COLUMN note TEXT", "UPDATE sessions SET note = 'kept'")
    monkeypatch.setattr(database, "MIGRATIONS", (*schema.MIGRATIONS, step))
    with Store.open(path) as store:
        assert store.load(session.id).exchanges[0].answer == ANSWER
        assert [row["note"] for row in store._database.rows("SELECT note FROM sessions")] == ["kept"]


def test_a_step_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(path).close()
    with monkeypatch.context() as patched:
        step = ("ALTER TABLE sessions ADD COLUMN note TEXT", "UPDATE nothing SET note = ''")
        patched.setattr(database, "MIGRATIONS", (*schema.MIGRATIONS, step))
        with pytest.raises(DataError, match="cannot use"):
            Store.open(path)
    with Store.open(path) as store:
        store.ask(begin("paper"), "?")
        assert store._database.rows("PRAGMA user_version")[0][0] == len(schema.MIGRATIONS)


def test_an_answer_that_cannot_be_read_leaves_its_text(path: Path) -> None:
    session = begin("paper")
    with Store.open(path) as store:
        store.settle(store.ask(session, "How large?"), ANSWER)
    with sqlite3.connect(path) as file:
        file.execute("UPDATE passages SET content = '[]'")
    with Store.open(path) as store:
        (kept,) = store.load(session.id).exchanges
        assert (kept.state, kept.text, kept.answer) == ("answered", ANSWER.text, None)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot write") as raised:
        Store.open(tmp_path / "file" / "sessions.db")
    assert raised.value.hint
