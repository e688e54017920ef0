"""The tables of conversations, version by version: a step is never changed once released, only followed.

Times are seconds since 1970, UTC. `passages` holds each passage that a session's answers show once, as
JSON, under its sha256. An exchange that is 'pending' belongs to the process that is writing it; to every
other reader it was stopped. A paper whose `opened` is NULL is known from its sessions only.
"""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE papers (
            id TEXT PRIMARY KEY,
            title TEXT NOT NULL,
            reference TEXT NOT NULL,
            pages INTEGER NOT NULL,
            opened REAL
        )
        """,
        """
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            mode TEXT NOT NULL CHECK (mode IN ('paper', 'support')),
            paper TEXT REFERENCES papers,
            model TEXT NOT NULL,
            created REAL NOT NULL,
            updated REAL NOT NULL
        )
        """,
        """
        CREATE TABLE exchanges (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
            mode TEXT NOT NULL CHECK (mode IN ('paper', 'support')),
            model TEXT NOT NULL,
            question TEXT NOT NULL,
            text TEXT NOT NULL DEFAULT '',
            state TEXT NOT NULL DEFAULT 'pending'
                CHECK (state IN ('pending', 'answered', 'stopped', 'failed')),
            answer TEXT,
            detail TEXT NOT NULL DEFAULT '',
            asked REAL NOT NULL
        )
        """,
        "CREATE INDEX exchanges_of_session ON exchanges (session)",
        "CREATE INDEX sessions_by_paper ON sessions (paper)",
        """
        CREATE TABLE passages (
            session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
            sha256 TEXT NOT NULL,
            content TEXT NOT NULL,
            PRIMARY KEY (session, sha256)
        ) WITHOUT ROWID
        """,
    ),
)
