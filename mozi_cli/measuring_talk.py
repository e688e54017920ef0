"""`mozi eval dialogues` and `crisis`: how the companion talks, and what its screen catches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mozi_cli import measuring, measuring_models, opening, progress
from mozi_engine import files
from mozi_engine.evaluation import crisis as screening
from mozi_engine.evaluation import dialogues as talks
from mozi_engine.evaluation import runs
from mozi_engine.evaluation.dialogues import Item, Respond
from mozi_engine.evaluation.report import Table
from mozi_engine.generation import engines
from mozi_engine.settings import Settings
from mozi_engine.support.companion import Companion, Replied
from mozi_engine.support.crisis import screen
from mozi_engine.types import GenerationSettings, Generator, Turn

_LONGEST = 200  # tokens of a bare model's reply; the companion keeps its own limits


@dataclass(frozen=True, slots=True)
class Talking:
    """Who replies, and to how much."""

    prompt: str
    limit: int
    seed: int


def dialogues(
    data: Path,
    out: Path,
    talk: Talking,
    settings: Settings | None,
    told: tuple[str, Path | None] | None,
    labelled: Path | None,
    *,
    as_json: bool,
) -> None:
    """Reply where there is no reply yet, if there are settings to do it by; score, and show the tables."""
    items = talks.sample(talks.read(data), talk.limit, talk.seed)
    if settings:
        _reply(data, items, out, talk, settings)
    tables = [talks.table(items, talks.replies(out))]
    if told:
        model, adapter = told
        loaded = measuring_models.load(model, adapter)
        tables += measuring_models.both(loaded, adapter, lambda name: talks.perplexity(name, items, loaded))
    if labelled:
        tables.append(_screened(labelled))
    title = f"{data.name}, {out.name}"
    measuring.finish(title, tables, out / "report.json", talk.seed, as_json=as_json)


def _reply(data: Path, items: Sequence[Item], out: Path, talk: Talking, settings: Settings) -> None:
    runs.begin(out, runs.Talk(files.sha256(data), measuring.who(settings), talk.prompt, talk.seed))
    if not {item.id for item in items} - talks.replies(out).keys():
        return
    opening.fetch_model(settings)
    model, decoding = engines.load(settings), GenerationSettings(max_new_tokens=_LONGEST, seed=talk.seed)
    respond = _companion(model, decoding) if talk.prompt == "support" else _bare(model, decoding)
    progress.show(talks.reply(items, respond, out), resumes=True)


def _companion(model: Generator, decoding: GenerationSettings) -> Respond:
    def respond(message: str, history: Sequence[Turn]) -> str:
        *_, last = Companion(model, decoding).reply(message, history)
        assert isinstance(last, Replied)  # noqa: S101  reply's promise, for the type checker
        return last.reply.text

    return respond


def _bare(model: Generator, decoding: GenerationSettings) -> Respond:
    def respond(message: str, history: Sequence[Turn]) -> str:
        pieces = model.stream([*history, Turn("user", message)], decoding)
        return "".join(piece for piece in pieces if isinstance(piece, str)).strip()

    return respond


def crisis(data: Path, out: Path | None, seed: int, *, as_json: bool) -> None:
    """Score the screen on labelled messages."""
    measuring.finish(f"crisis, {data.name}", [_screened(data)], out, seed, as_json=as_json)


def _screened(labelled: Path) -> Table:
    return screening.table(screening.read(labelled), lambda text: screen(text) is not None)
