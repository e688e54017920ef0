"""`mozi sessions`, as a person or a script runs it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mozi_engine.sessions.conversations import begin
from mozi_engine.sessions.store import Store
from tests.command import mozi, refusal
from tests.unit.test_sessions import ANSWER, OTHER, PAPER

GRAPH = replace(begin("paper", PAPER, "qwen"), id="aaa111111111")
DRAFT = replace(begin("support", OTHER, "smol"), id="aab222222222")


@pytest.fixture(autouse=True)
def kept() -> None:
    with Store.open() as store:
        store.settle(store.ask(GRAPH, "How large is it?"), ANSWER)
        store.stop(store.ask(GRAPH, "And the edges?"))
        store.settle(store.ask(DRAFT, "我很累"), "听起来你撑了很久。", "reflection")


def ids() -> list[str]:
    return [session["id"] for session in json.loads(mozi("sessions", "list", "--json").stdout)]


def test_they_are_listed_the_last_one_first() -> None:
    lines = mozi("sessions", "list").stdout.splitlines()
    assert lines[0].split() == ["id", "last", "used", "questions", "about", "last", "question"]
    assert [line[:8] for line in lines[1:]] == ["aab22222", "aaa11111"]
    assert "draft.pdf" in lines[1]
    assert "Construction of the Literature Graph" in lines[2]
    assert lines[2].endswith("And the edges?")
    assert ids() == [DRAFT.id, GRAPH.id]


def test_one_is_shown_with_what_it_cites() -> None:
    ran = mozi("sessions", "show", "aaa")
    assert ran.stderr.startswith("Construction of the Literature Graph\naaa111111111, ")
    assert ran.stdout == (
        "> How large is it?\nIt has 280M nodes. [1]\n\n[1] page 2, Results\n"
        '    "The graph has 280M nodes."\n\n> And the edges?\n(stopped)\n'
    )


def test_one_is_exported_in_every_form(tmp_path: Path) -> None:
    assert mozi("sessions", "export", "aaa").stdout.startswith("# Construction of the Literature Graph\n")
    record = json.loads(mozi("sessions", "export", "aaa", "--format", "json").stdout)
    assert record["exchanges"][0]["citations"][0]["quote"] == "The graph has 280M nodes."
    ran = mozi("sessions", "export", "aaa", "-o", tmp_path / "quotes.bib")
    assert (ran.stdout, ran.stderr) == ("", f"written to {tmp_path / 'quotes.bib'}\n")
    assert (tmp_path / "quotes.bib").read_text().splitlines()[1] == "@misc{construction-aaaaaa,"


def test_a_file_is_not_written_over_unasked(tmp_path: Path) -> None:
    paper = tmp_path / "paper.pdf"
    paper.write_bytes(b"precious")
    message, hint = refusal(mozi("sessions", "export", "aaa", "-o", paper))
    assert (message, hint) == (f"{paper} is there already", "give another name, or --force")
    assert paper.read_bytes() == b"precious"
    assert mozi("sessions", "export", "aab", "-o", paper, "--force", "-f", "md").returncode == 0
    assert "听起来你撑了很久。" in paper.read_text("utf-8")


def test_deleting_asks_first() -> None:
    ran = mozi("sessions", "delete", "aaa", stdin="n\n")
    assert (ran.returncode, "Delete 1 conversation?" in ran.stderr) == (1, True)
    assert "And the edges?" in ran.stdout
    assert len(ids()) == 2
    assert mozi("sessions", "delete", "aaa", stdin="y\n").stderr.endswith("1 conversation deleted\n")
    assert ids() == [DRAFT.id]


def test_many_are_deleted_at_once(home: Path) -> None:
    assert mozi("sessions", "delete", "aaa", "aab", "aaa", "--yes").stderr == "2 conversations deleted\n"
    assert mozi("sessions", "list").stderr.startswith("no conversations yet")
    assert json.loads(mozi("sessions", "list", "--json").stdout) == []
    words = (b"How large", b"280M", "听起来".encode())
    written = [file.read_bytes() for file in (home / "data").iterdir()]
    assert not any(word in file for file in written for word in words)


def test_all_are_deleted_with_the_list_of_papers() -> None:
    with Store.open() as store:
        store.noticed(PAPER)
    assert mozi("sessions", "delete", "--all", "--yes").stderr == "2 conversations deleted\n"
    with Store.open() as store:
        assert (store.recent(), store.papers()) == ((), ())


def test_what_cannot_be_done_is_said() -> None:
    assert "2 conversations begin with 'aa'" in refusal(mozi("sessions", "show", "aa"))[0]
    assert "no conversation begins with 'zz'" in refusal(mozi("sessions", "delete", "aaa", "zz", "-y"))[0]
    assert len(ids()) == 2
    assert "is about no paper" not in mozi("sessions", "export", "aab", "-f", "bib").stderr
    for wrong in ([], ["aaa", "--all"]):
        ran = mozi("sessions", "delete", *wrong, "--yes")
        assert (ran.returncode, "give ids, or --all" in ran.stderr) == (2, True)


def test_a_conversation_about_no_paper_has_no_bibliography() -> None:
    with Store.open() as store:
        alone = begin("support")
        store.settle(store.ask(alone, "I'm tired."), "That sounds hard.")
    message, hint = refusal(mozi("sessions", "export", alone.id, "-f", "bib"))
    assert (message, hint) == ("this conversation is about no paper", "export it as md or json")


def test_a_damaged_file_is_set_aside_and_said(home: Path) -> None:
    (home / "data" / "sessions.db").write_bytes(b"nothing" * 2000)
    ran = mozi("sessions", "list")
    assert ran.returncode == 0
    assert "was damaged; it is now sessions.db.damaged-" in ran.stderr
    assert ".recover" in ran.stderr
    assert mozi("sessions", "list").stderr.startswith("no conversations yet")
