"""Conversations, kept: what was asked, said and cited, token by token, and which papers were opened.

A `Store` lies on the disk (`Store.open`) or in memory alone (`Store.private`). All of it may be called from
any thread; several processes may use one file. What the disk refuses is a DataError: the conversation can
go on without being kept.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from mozi_engine.errors import DataError
from mozi_engine.files import data_dir
from mozi_engine.sessions import answers
from mozi_engine.sessions.conversations import (
    Conversation,
    Exchange,
    LibraryEntry,
    PaperRef,
    Session,
    State,
    Summary,
)
from mozi_engine.sessions.database import Database, storable
from mozi_engine.types import Answer, Passage


class Store:
    """Where conversations are kept. `set_aside` is where a damaged file was moved on opening, if one was."""

    def __init__(self, path: Path | None) -> None:
        """`path` is the file, made where it is missing; None keeps everything in memory."""
        self._database = Database(path)
        self._writing: set[int] = set()
        self._guard = threading.Lock()

    @classmethod
    def open(cls, path: Path | None = None) -> Self:
        """The store on the disk, `data_dir()/sessions.db` unless named. Raises DataError."""
        return cls(path or data_dir() / "sessions.db")

    @classmethod
    def private(cls) -> Self:
        """A store in memory: nothing of it reaches the disk, and it is gone when closed."""
        return cls(None)

    @property
    def path(self) -> Path | None:
        """Its file; None when it is private."""
        return self._database.path

    @property
    def set_aside(self) -> Path | None:
        """Where a damaged file was moved, if one was."""
        return self._database.set_aside

    def close(self) -> None:
        """Close it. Closing twice does nothing."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # A conversation as it happens

    def ask(self, session: Session, question: str) -> int:
        """Keep a question to the session's mode, paper and model; the exchange's id. Raises DataError.

        Its answer begins now, or waits for `begin`.
        """
        asked = _now().timestamp()
        with self._database.transaction() as database:
            if session.paper:
                _know(database, session.paper)
            database.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "mode = excluded.mode, paper = excluded.paper, model = excluded.model, "
                "updated = excluded.updated",
                (
                    session.id,
                    session.mode,
                    session.paper and session.paper.id,
                    session.model,
                    session.created.timestamp(),
                    asked,
                ),
            )
            row = database.execute(
                "INSERT INTO exchanges (session, mode, model, question, asked) VALUES (?, ?, ?, ?, ?)",
                (session.id, session.mode, session.model, storable(question), asked),
            )
            exchange = int(row.lastrowid or 0)
        with self._guard:
            self._writing.add(exchange)
        return exchange

    def begin(self, exchange: int, session: Session) -> None:
        """A question that was kept when it was asked is answered now: by the session's model, of its paper.

        Raises DataError.
        """
        self.update(session)
        with self._database.transaction() as database:
            database.execute("UPDATE exchanges SET model = ? WHERE id = ?", (session.model, exchange))

    def update(self, session: Session) -> None:
        """Write down what a session is about by now, if anything of it is kept. Raises DataError."""
        with self._database.transaction() as database:
            if session.paper:
                _know(database, session.paper)
            database.execute(
                "UPDATE sessions SET mode = ?, paper = ?, model = ? WHERE id = ?",
                (session.mode, session.paper and session.paper.id, session.model, session.id),
            )
            _forget_unused(database)

    def take_back(self, exchange: int) -> None:
        """Forget a question whose answer has not begun; a session that holds no other goes too.

        Raises DataError.
        """
        with self._database.transaction() as database:
            database.execute("DELETE FROM exchanges WHERE id = ?", (exchange,))
            database.execute("DELETE FROM sessions WHERE id NOT IN (SELECT session FROM exchanges)")
        self._written(exchange)

    def grow(self, exchange: int, piece: str) -> None:
        """Keep a piece of an answer under way: once returned, it survives the death of the process.

        A tenth of a millisecond, now and then the disk's pause: call it where tokens arrive, off the event
        loop. What was deleted meanwhile stays deleted. Raises DataError.
        """
        with self._database.transaction() as database:
            database.execute(
                "UPDATE exchanges SET text = text || ? WHERE id = ?", (storable(piece), exchange)
            )

    def settle(self, exchange: int, answer: Answer | str, detail: str = "") -> None:
        """Keep the whole answer: one that stands on a paper, or a reply in words. Raises DataError."""
        text = answer if isinstance(answer, str) else answer.text
        encoded, passages = (None, {}) if isinstance(answer, str) else answers.encode(answer)
        with self._database.transaction() as database:
            database.executemany(
                "INSERT OR IGNORE INTO passages SELECT session, ?, ? FROM exchanges WHERE id = ?",
                [(key, storable(content), exchange) for key, content in passages.items()],
            )
            database.execute(
                "UPDATE exchanges SET text = ?, state = 'answered', answer = ?, detail = ? WHERE id = ?",
                (storable(text), encoded and storable(encoded), storable(detail), exchange),
            )
        self._written(exchange)

    def stop(self, exchange: int) -> None:
        """The person stopped the answer: what came of it stays. One that has ended stays as it is.

        Raises DataError.
        """
        self._end(exchange, "stopped", "")

    def fail(self, exchange: int, why: str) -> None:
        """The answer failed: what came of it stays, and why. One that has ended stays as it is.

        Raises DataError.
        """
        self._end(exchange, "failed", why)

    def _end(self, exchange: int, state: State, detail: str) -> None:
        with self._database.transaction() as database:
            database.execute(
                "UPDATE exchanges SET state = ?, detail = ? WHERE id = ? AND state = 'pending'",
                (state, storable(detail), exchange),
            )
        self._written(exchange)

    def _written(self, exchange: int) -> None:
        with self._guard:
            self._writing.discard(exchange)

    # Conversations there were

    def recent(self, limit: int | None = None, paper: str | None = None) -> tuple[Summary, ...]:
        """Sessions, the one used last first; of one paper (its id), or of all. Raises DataError."""
        rows = self._database.rows(
            "SELECT sessions.*, papers.title, papers.reference, papers.pages, "
            "count(exchanges.id) AS count, max(exchanges.id), exchanges.question "
            "FROM sessions JOIN exchanges ON exchanges.session = sessions.id "
            "LEFT JOIN papers ON papers.id = sessions.paper "
            "WHERE ?1 IS NULL OR sessions.paper = ?1 "
            "GROUP BY sessions.id ORDER BY sessions.updated DESC LIMIT ?2",
            paper,
            -1 if limit is None else limit,
        )
        return tuple(Summary(_session(row), row["count"], row["question"]) for row in rows)

    def load(self, session: str) -> Conversation:
        """The conversation with this id, or the only one whose id begins so. Raises DataError."""
        header = self._find(session)
        exchanges = self._database.rows("SELECT * FROM exchanges WHERE session = ? ORDER BY id", header.id)
        passages = self._database.rows("SELECT sha256, content FROM passages WHERE session = ?", header.id)
        known = dict(_passages((row["sha256"], row["content"]) for row in passages))
        with self._guard:
            writing = frozenset(self._writing)
        return Conversation(header, tuple(_exchange(row, known, writing) for row in exchanges))

    def delete(self, *sessions: str) -> None:
        """Delete conversations, by id or unique beginning: all or none; their words leave the disk.

        Raises DataError.
        """
        found = [self._find(session) for session in sessions]
        with self._database.transaction() as database:
            database.executemany("DELETE FROM sessions WHERE id = ?", [(session.id,) for session in found])
            _forget_unused(database)
        self._database.wipe_log()

    def clear(self) -> None:
        """Delete every conversation, and forget which papers were opened. Raises DataError."""
        with self._database.transaction() as database:
            database.execute("DELETE FROM sessions")
            database.execute("DELETE FROM papers")
        self._database.wipe_log()

    def _find(self, session: str) -> Session:
        rows = self._database.rows(
            "SELECT sessions.*, papers.title, papers.reference, papers.pages FROM sessions "
            "LEFT JOIN papers ON papers.id = sessions.paper WHERE substr(sessions.id, 1, ?) = ?",
            len(session),
            storable(session.lower()),
        )
        if not session or len(rows) != 1:
            known = f"{len(rows)} conversations begin" if rows and session else "no conversation begins"
            raise DataError(f"{known} with {session!r}", hint="mozi sessions list")
        return _session(rows[0])

    # Papers

    def noticed(self, paper: PaperRef) -> None:
        """Remember that a paper was opened now, and what is known of it now. Raises DataError."""
        with self._database.transaction() as database:
            _know(database, paper)
            database.execute("UPDATE papers SET opened = ? WHERE id = ?", (_now().timestamp(), paper.id))

    def papers(self, limit: int | None = None) -> tuple[LibraryEntry, ...]:
        """The papers that were opened, the last one first. Raises DataError."""
        rows = self._database.rows(
            "SELECT papers.*, papers.id AS paper, count(exchanges.id) AS questions FROM papers "
            "LEFT JOIN sessions ON sessions.paper = papers.id "
            "LEFT JOIN exchanges ON exchanges.session = sessions.id AND exchanges.mode = 'paper' "
            "WHERE opened IS NOT NULL GROUP BY papers.id ORDER BY opened DESC LIMIT ?",
            -1 if limit is None else limit,
        )
        return tuple(LibraryEntry(_paper(row), _time(row["opened"]), row["questions"]) for row in rows)

    def forget(self, paper: str) -> None:
        """Take a paper (its id) off the list; conversations about it stay. Raises DataError."""
        with self._database.transaction() as database:
            database.execute("UPDATE papers SET opened = NULL WHERE id = ?", (paper,))
            _forget_unused(database)
        self._database.wipe_log()


def _know(database: sqlite3.Connection, paper: PaperRef) -> None:
    database.execute(
        "INSERT INTO papers (id, title, reference, pages) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
        "title = coalesce(nullif(excluded.title, ''), title), reference = excluded.reference, "
        "pages = excluded.pages",
        (paper.id, storable(paper.title), storable(paper.reference), paper.pages),
    )


def _forget_unused(database: sqlite3.Connection) -> None:
    """Forget papers that are on no list and in no conversation."""
    database.execute(
        "DELETE FROM papers WHERE opened IS NULL "
        "AND id NOT IN (SELECT paper FROM sessions WHERE paper IS NOT NULL)"
    )


def _session(row: sqlite3.Row) -> Session:
    paper = _paper(row) if row["paper"] else None
    return Session(row["id"], row["mode"], paper, row["model"], _time(row["created"]), _time(row["updated"]))


def _paper(row: sqlite3.Row) -> PaperRef:
    return PaperRef(row["paper"], row["title"], row["reference"], row["pages"])


def _exchange(row: sqlite3.Row, passages: Mapping[str, Passage], writing: frozenset[int]) -> Exchange:
    """One row. An answer that cannot be read any more leaves its text."""
    state = row["state"]
    if state == "pending" and row["id"] not in writing:
        state = "stopped"
    try:
        answer = answers.decode(row["answer"], passages) if row["answer"] else None
    except ValueError:
        answer = None
    return Exchange(
        row["id"],
        row["mode"],
        row["model"],
        row["question"],
        row["text"],
        state,
        answer,
        row["detail"],
        _time(row["asked"]),
    )


def _passages(rows: Iterable[tuple[str, str]]) -> Iterable[tuple[str, Passage]]:
    for key, content in rows:
        try:
            yield key, answers.decode_passage(content)
        except ValueError:
            continue


def _now() -> datetime:
    return datetime.now(UTC)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
