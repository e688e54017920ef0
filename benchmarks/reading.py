"""What reading a paper once is worth.

    python benchmarks/reading.py examples/N18-3011.pdf …

For each paper: how long the model reads it, what its memory takes on the disk, how long it takes another
process to take that up (its model loaded, its PDF opened), and what a question costs before the reading
(from passages), when half is read (from passages too), after it, and in that process; what others cost,
before and after, that were read while they were written, as the full screen does: one but for its last
word, one to its end, as when it is looked over before it is sent; and the question through plain xllamacpp,
which reads the paper for it. Needs the default model on the disk and a machine that does nothing else.
Prints a Markdown table; takes minutes a paper.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
from chat import directly, machine

from mozi_engine import prompts, states
from mozi_engine.answering import Answerer, Done
from mozi_engine.dialogue import Dialogue, acquaint, answerer_of, briefing, informed
from mozi_engine.files import data_dir
from mozi_engine.generation import engines
from mozi_engine.indexing import Indexed, index
from mozi_engine.models import catalog
from mozi_engine.reading import Reading
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.settings import Settings
from mozi_engine.types import GenerationSettings, Remembering, Timings, Turn

FIRST = "What is the main contribution of the paper?"
ASKED = "Which datasets are used?"
BESIDE = "Which methods are compared with each other?"
WRITTEN = "How large is the data that the model is trained on?"
LOOKED_OVER = "Which languages do the texts come from?"
DECODING = GenerationSettings(max_new_tokens=48)


class Row(NamedTuple):
    """One paper's figures, as they are printed."""

    paper: str
    tokens: int
    read: str
    disk: str
    reopen: str
    before: str
    before_written: str
    before_looked_over: str
    half_read: str
    after: str
    after_written: str
    after_looked_over: str
    reopened: str
    plain: str


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("papers", type=Path, nargs="+")
    parser.add_argument("--no-plain", action="store_true", help="leave out the run through plain xllamacpp")
    parser.add_argument("--reopen", action="store_true", help=argparse.SUPPRESS)  # the other process
    options = parser.parse_args()
    if options.reopen:
        print(json.dumps(reopen(options.papers[0])))
        return
    models = data_dir() / "models"
    print(f"{machine()}\n\n| {' | '.join(Row._fields)} |\n|{'---|' * len(Row._fields)}")
    with tempfile.TemporaryDirectory() as home:
        Path(home, "data").mkdir()
        Path(home, "data", "models").symlink_to(models)
        os.environ["MOZI_HOME"] = home
        for paper in options.papers:
            print(f"| {' | '.join(map(str, measure(paper, plain=not options.no_plain)))} |", flush=True)


def measure(paper: Path, *, plain: bool) -> Row:
    """Read one paper, ask it before and after, and ask it again in another process."""
    encoder = Encoder()
    indexed = opened(paper, encoder)
    model = load()
    reading = Reading(indexed.paper, model, 10**10)
    answerer = answerer_of(indexed, model, encoder.encode, 4, DECODING)
    acquaint(indexed, model, 10)
    before = costs(answerer)
    first = read_to(reading, 0.5)
    half = beside(reading, indexed, answerer)
    read = first + read_to(reading, 1)
    after = costs(informed(answerer, reading))
    turns, tokens = reading.beginning.turns, reading.reached.total
    del model, answerer, reading
    command = [sys.executable, __file__, "--reopen", str(paper)]
    again = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    size = sum(path.stat().st_size for path in states.folder().glob("*.state"))
    states.evict(0)
    return Row(
        f"{paper.name}, {indexed.paper.pages} pages",
        tokens,
        f"{read:.0f} s ({tokens / read:.0f} tokens/s)",
        f"{size / 1e6:.0f} MB",
        f"{again['seconds']:.2f} s",
        *map(shown, before),
        shown(half),
        *map(shown, after),
        shown(Timings(**again["cost"])),
        plainly(turns) if plain else "not run",
    )


def read_to(reading: Reading, share: float) -> float:
    """Seconds until this share of the paper is read."""
    began = time.perf_counter()
    with closing(reading.steps()) as steps:
        for step in steps:
            if step.done < step.total and step.done >= share * step.total:
                break
    return time.perf_counter() - began


def beside(reading: Reading, indexed: Indexed, answerer: Answerer) -> Timings:
    """What a question costs that comes between two pieces; that the paper makes room for it, too."""
    began = time.perf_counter()
    brief = briefing(indexed, answerer.generator, 10)
    if reading.set_aside() and brief:
        brief(lambda: False)
    waited = (time.perf_counter() - began) * 1000
    cost = ask(answerer, BESIDE)
    return replace(cost, ttft_ms=cost.ttft_ms + waited, total_ms=cost.total_ms + waited)


def reopen(paper: Path) -> dict[str, object]:
    """Take up what another process read of the paper, and ask it: seconds, and what the question cost."""
    encoder = Encoder()
    indexed, model = opened(paper, encoder), load()
    began = time.perf_counter()
    again = Reading(indexed.paper, model, 10**10)
    again.recall()
    seconds = time.perf_counter() - began
    assert again.complete
    answerer = informed(answerer_of(indexed, model, encoder.encode, 4, DECODING), again)
    return {"seconds": seconds, "cost": asdict(ask(answerer, ASKED))}


def opened(paper: Path, encoder: Encoder) -> Indexed:
    """The paper, ready to be searched."""
    *_, indexed = index(paper, Settings(), encoder)
    assert isinstance(indexed, Indexed)
    return indexed


def plainly(paper: tuple[Turn, Turn]) -> str:
    """First word and whole answer of the question through plain xllamacpp, in seconds."""
    file = catalog.path(catalog.find(Settings().model))
    answered = directly(file, DECODING, context=Settings().context)
    began = time.perf_counter()
    first, _ = answered(list(prompts.render_whole(paper, ASKED)))
    return f"{first:.2f} / {time.perf_counter() - began:.1f} s"


def load() -> Remembering:
    """The default model, fresh."""
    model = engines.load(Settings())
    assert isinstance(model, Remembering)
    return model


def ask(answerer: Answerer, question: str) -> Timings:
    """What one question cost."""
    *_, done = answerer.answer(question)
    assert isinstance(done, Done)
    return done.answer.timings


def costs(answerer: Answerer) -> tuple[Timings, Timings, Timings]:
    """What a question costs; one of which all but the last word was read ahead; and one that all was."""
    ask(answerer, FIRST)
    asked = ask(answerer, ASKED)
    return (
        asked,
        ahead(answerer, WRITTEN, WRITTEN.rpartition(" ")[0]),
        ahead(answerer, LOOKED_OVER, LOOKED_OVER),
    )


def ahead(answerer: Answerer, question: str, written: str) -> Timings:
    """What a question costs that was read as far as `written`."""
    Dialogue(answerer).anticipate(written, (), lambda: False)
    return ask(answerer, question)


def shown(cost: Timings) -> str:
    """First token and whole answer, in seconds."""
    return f"{cost.ttft_ms / 1000:.2f} / {cost.total_ms / 1000:.1f} s"


if __name__ == "__main__":
    main()
