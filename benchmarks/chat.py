"""What `mozi chat` costs, from the shell to the last word.

    python benchmarks/chat.py

Needs the default model on the disk (`mozi models pull qwen2.5-coder-1.5b`) and a machine that does
nothing else. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from mozi_engine.types import GenerationSettings, Generator, Turn

ROOT = Path(__file__).parent.parent
MOZI = str(Path(sys.executable).with_name("mozi"))
FIRST = "How many author nodes does the literature graph have?"
SECOND = "Which F1 do the entity linking models reach?"
HEAVY = ("numpy", "onnxruntime", "pymupdf", "xllamacpp", "textual")


Side = Callable[[list[Turn]], tuple[float, float]]


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    goal: str


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--paper", type=Path, default=ROOT / "examples" / "N18-3011.pdf")
    parser.add_argument("--no-model", action="store_true", help="only what needs no model")
    options = parser.parse_args()
    print(f"{machine()}\n\n| what | measured | goal |\n|---|---|---|")
    for row in rows(options.paper.resolve(), with_model=not options.no_model):
        print(f"| {row.what} | {row.measured} | {row.goal} |", flush=True)


def machine() -> str:
    """The processor's name, cores and memory."""
    name, flags = platform.processor() or platform.machine(), ""
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        lines = dict(line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in lines.items()}
        name = fields.get("model name", name)
        flags = next((flag for flag in ("avx512f", "avx2") if flag in fields.get("flags", "")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{name} {flags}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def rows(paper: Path, *, with_model: bool) -> Iterator[Row]:
    """Every figure, cheap ones first, each in a home of its own that holds nothing but the models."""
    from mozi_engine.files import data_dir

    models = data_dir() / "models"
    with tempfile.TemporaryDirectory() as home:
        Path(home, "data").mkdir()
        Path(home, "data", "models").symlink_to(models)
        os.environ["MOZI_HOME"] = home
        yield from starting()
        yield from opening(paper)
        if with_model:
            yield from answering(paper)
            yield from engine(paper)


def starting() -> Iterator[Row]:
    """The command line itself."""
    seconds = min(timed(lambda: run("--help")) for _ in range(5))
    yield Row("`mozi --help`", f"{seconds:.2f} s", "0.3 s")
    script = "import sys, mozi_cli.main; print(*[m for m in sys.argv[1:] if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", script, *HEAVY], capture_output=True, text=True, check=True
    ).stdout.split()
    yield Row("heavy modules loaded by it", ", ".join(loaded) or "none", "none")


def opening(paper: Path) -> Iterator[Row]:
    """Reading, indexing and searching, in this process, without a model."""
    from mozi_engine.indexing import index
    from mozi_engine.retrieval.dense import Encoder, embed
    from mozi_engine.settings import Settings
    from mozi_engine.types import Progress

    encoder = Encoder()
    encoder.encode(["warm"])
    began, stages = time.perf_counter(), {}
    for event in index(paper, Settings(), encoder):
        if not isinstance(event, Progress):
            stages[event.stage] = time.perf_counter() - began
            indexed = event
    pages, passages = indexed.paper.pages, indexed.passages
    yield Row(f"searchable by words ({pages} pages)", f"{stages['text']:.2f} s", "1 s")
    layout = (stages["layout"] - stages["text"]) / pages
    yield Row("layout, a page", f"{layout:.2f} s", "0.5 s")
    seconds = timed(lambda: embed("benchmark", passages, encoder))
    yield Row(f"embedding {len(passages)} passages", f"{seconds:.2f} s", "1 s for 60")
    again = min(timed(lambda: list(index(paper, Settings(), encoder))) for _ in range(3))
    yield Row("a second opening", f"{again:.2f} s", "0.3 s")
    found = statistics.median(timed(lambda: indexed.retriever.search(FIRST, 4)) for _ in range(10))
    yield Row("evidence after a question", f"{found * 1000:.0f} ms", "150 ms")


def answering(paper: Path) -> Iterator[Row]:
    """The whole program, from the shell."""
    cache = Path(os.environ["MOZI_HOME"], "cache")
    subprocess.run(["rm", "-r", str(cache)], check=True)  # noqa: S607
    for label in ("first time", "paper known"):
        began = time.perf_counter()
        output = run("chat", "--paper", str(paper), "--ask", FIRST, "--json")
        seconds = time.perf_counter() - began
        answer = json.loads(output)
        tokens = answer["timings"]["prompt_tokens"]
        yield Row(f"shell to last token, {label} ({tokens} prompt tokens)", f"{seconds:.1f} s", "20 s")
    output = run("chat", "--paper", str(paper), "--ask", FIRST, "--ask", SECOND, "--json")
    timings = json.loads(output.splitlines()[1])["timings"]
    yield Row(
        f"a following question ({timings['prompt_tokens']} prompt tokens)",
        f"{timings['total_ms'] / 1000:.1f} s, first word after {timings['ttft_ms'] / 1000:.1f} s",
        "12 s",
    )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    yield Row("peak memory", f"{peak:.2f} GiB", "2.6 GB")


def engine(paper: Path) -> Iterator[Row]:
    """The engine against xllamacpp called directly: same prompt, same file, turn and turn about."""
    from mozi_engine import prompts, states
    from mozi_engine.generation.llamacpp import LlamaCpp
    from mozi_engine.indexing import index
    from mozi_engine.models import catalog
    from mozi_engine.retrieval.dense import Encoder
    from mozi_engine.settings import Settings

    file = catalog.path(catalog.find(Settings().model))
    *_, indexed = index(paper, Settings(), Encoder())
    evidence = indexed.retriever.search(FIRST, 2)
    settings = GenerationSettings(max_new_tokens=24)
    sides: dict[str, Side] = {
        "mozi": through_mozi(LlamaCpp(file, name="mozi", context=4096, states=states.folder()), settings),
        "direct": directly(file, settings),
    }
    first: dict[str, list[float]] = {name: [] for name in sides}
    rate: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(3):
        # A question of its own at the very front: nothing of the prompt before is left in the cache.
        system, user = prompts.render(f"Paper {turn}", evidence, FIRST)
        messages = [Turn("system", f"{turn}. {system.text}"), user]
        for name, side in sides.items():
            seconds, tokens_per_second = side(messages)
            first[name].append(seconds)
            rate[name].append(tokens_per_second)
    direct, mozi = statistics.median(first["direct"]), statistics.median(first["mozi"])
    yield Row("first token, against xllamacpp directly", f"{direct / mozi:.2f} of its speed", "0.95")
    direct, mozi = statistics.median(rate["direct"]), statistics.median(rate["mozi"])
    yield Row("tokens/s, against xllamacpp directly", f"{mozi / direct:.2f} ({mozi:.1f} tokens/s)", "0.95")


def through_mozi(model: Generator, settings: GenerationSettings) -> Side:
    """Seconds to the first token, and tokens/s after it."""

    def side(messages: list[Turn]) -> tuple[float, float]:
        return pace(piece for piece in model.stream(messages, settings) if isinstance(piece, str))

    return side


def directly(file: Path, settings: GenerationSettings, context: int = 4096) -> Side:
    """The same, by xllamacpp's own server with its defaults, as its README calls it."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.n_ctx, params.n_parallel, params.verbosity = context, 1, -1
    server = xllamacpp.Server(params)

    def side(messages: list[Turn]) -> tuple[float, float]:
        times = [time.perf_counter()]
        request = {
            "messages": [{"role": turn.role, "content": turn.text} for turn in messages],
            "max_tokens": settings.max_new_tokens,
            "temperature": 0,
            "stream": True,
        }

        def on_chunk(chunk: str) -> bool:
            choices = json.loads(chunk)["choices"]
            if choices and choices[0]["delta"].get("content"):
                times.append(time.perf_counter())
            return False

        server.handle_chat_completions(json.dumps(request), on_chunk)
        return times[1] - times[0], (len(times) - 2) / (times[-1] - times[1])

    return side


def pace(pieces: Iterator[str]) -> tuple[float, float]:
    """Seconds to the first piece, and pieces a second after it."""
    times = [time.perf_counter()]
    times += [time.perf_counter() for _ in pieces]
    return times[1] - times[0], (len(times) - 2) / (times[-1] - times[1])


def run(*arguments: str) -> str:
    """What `mozi` with these arguments prints."""
    return subprocess.run([MOZI, *arguments], capture_output=True, text=True, check=True).stdout


def timed(work: Callable[[], object]) -> float:
    """Seconds that the work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
