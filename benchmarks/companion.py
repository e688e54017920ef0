"""How the companion replies to real openings, against the same model without mozi's prompt and limits.

    python benchmarks/companion.py SMILE.jsonl ESCONV.jsonl OUT.jsonl [--openings 100] [--model NAME]

Takes the first message of as many dialogues, half of each file, the same ones every time. What was written to
OUT is not generated again. Openings that alarm the crisis screen are counted, and left out of the rest.
Prints Markdown: length, lists, language, distinct-1 and distinct-2 (Li et al., 2016), and seconds.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mozi_engine import prompts
from mozi_engine.generation import engines
from mozi_engine.settings import load
from mozi_engine.support.companion import MAX_CHARACTERS, Companion, Replied
from mozi_engine.support.crisis import screen
from mozi_engine.support.limits import CHARACTERS, WORDS
from mozi_engine.types import GenerationSettings, Generator, Turn

SYSTEM = "You are a helpful assistant."
LIST = re.compile(r"^\s*(?:[-*•]|\d+[.)、]|[一二三四五][、.])\s*\S", re.MULTILINE)
TOKEN = re.compile(r"[\u4e00-\u9fff]|[\w']+")
GREETING = 40  # characters: what is shorter is a hello, and the next message is joined to it


def main() -> None:
    """Generate what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("smile", type=Path)
    parser.add_argument("esconv", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--openings", type=int, default=100)
    parser.add_argument("--model")
    options = parser.parse_args()
    half = options.openings // 2
    chosen = [*openings(options.smile, half), *openings(options.esconv, options.openings - half)]
    calm = [text for text in chosen if screen(text) is None]
    done = read(options.out)
    if missing := [text for text in calm if text not in done]:
        settings = load()
        model = engines.load(replace(settings, model=options.model or settings.model, context=4096))
        with options.out.open("a", encoding="utf-8") as file:
            for text in missing:
                done[text] = {"opening": text, "mozi": mozi(model, text), "plain": plain(model, text)}
                file.write(json.dumps(done[text], ensure_ascii=False) + "\n")
                file.flush()
    print(f"{len(chosen)} openings, {len(chosen) - len(calm)} of them alarms.\n")
    table([done[text] for text in calm])


def openings(path: Path, count: int) -> list[str]:
    """The first thing said by the person in `count` dialogues, a sample that is always the same."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    chosen = random.Random(0).sample(rows, min(count, len(rows)))  # noqa: S311
    return [opening(row["turns"])[:MAX_CHARACTERS] for row in chosen]


def opening(turns: Sequence[dict[str, str]]) -> str:
    """The first message, with the next one where it is only a greeting."""
    said = [
        turn.get("content") or turn["text"]
        for turn in turns
        if turn.get("role", turn.get("speaker")) in ("client", "seeker")
    ]
    return said[0] if len(said[0]) >= GREETING else " ".join(said[:2])


def read(path: Path) -> dict[str, dict[str, dict[str, object]]]:
    """What an earlier run has generated, by opening."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return {row["opening"]: row for row in map(json.loads, lines)}


def mozi(model: Generator, text: str) -> dict[str, object]:
    """The companion's reply."""
    started = time.perf_counter()
    *_, last = Companion(model, GenerationSettings()).reply(text)
    assert isinstance(last, Replied)
    return {"text": last.reply.text, "seconds": time.perf_counter() - started}


def plain(model: Generator, text: str) -> dict[str, object]:
    """What the model says by itself."""
    started = time.perf_counter()
    pieces = model.stream((Turn("system", SYSTEM), Turn("user", text)), GenerationSettings())
    reply = "".join(piece for piece in pieces if isinstance(piece, str))
    return {"text": reply.strip(), "seconds": time.perf_counter() - started}


def table(rows: Sequence[dict[str, dict[str, object]]]) -> None:
    """One row a system."""
    print("| system | replies | median length | within the limit | without lists ", end="")
    print("| in the person's language | distinct-1 | distinct-2 | median seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    for system in ("mozi", "plain"):
        said = [(str(row["opening"]), str(row[system]["text"])) for row in rows]
        lengths = sorted(len(TOKEN.findall(reply)) for _, reply in said)
        seconds = sorted(float(str(row[system]["seconds"])) for row in rows)
        shares = [
            sum(map(short, said)) / len(said),
            sum(not LIST.search(reply) for _, reply in said) / len(said),
            sum(prompts.language(text) == prompts.language(reply) for text, reply in said) / len(said),
            distinct([reply for _, reply in said], 1),
            distinct([reply for _, reply in said], 2),
        ]
        middle = len(said) // 2
        shown = [f"{share:.2f}" for share in shares]
        cells = [system, len(said), lengths[middle], *shown, f"{seconds[middle]:.1f}"]
        print(f"| {' | '.join(map(str, cells))} |")


def short(pair: tuple[str, str]) -> bool:
    """Whether a reply keeps the limit of its opening's language."""
    text, reply = pair
    if prompts.language(text) == "Chinese":
        return len(reply) <= CHARACTERS
    return len(reply.split()) <= WORDS


def distinct(replies: Sequence[str], size: int) -> float:
    """Different n-grams over all n-grams of all replies."""
    grams = []
    for reply in replies:
        tokens = TOKEN.findall(reply.casefold())
        grams += [tuple(tokens[start : start + size]) for start in range(len(tokens) - size + 1)]
    return len(set(grams)) / max(len(grams), 1)


if __name__ == "__main__":
    main()
