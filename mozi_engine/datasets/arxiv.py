"""A corpus of papers to train on: cleaned, without copies and evaluated papers, as token shards.

The work is a chain of datatrove pipelines. Each is cut into tasks by the files alone, so that any number of
workers, on one machine or many, writes the same bytes; what a killed run had finished is not done again.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from datatrove.executor.base import PipelineExecutor
from datatrove.pipeline.dedup import ExactDedupConfig, ExactDedupFilter, ExactDedupSignature, ExactFindDedups
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

from mozi_engine import files
from mozi_engine.datasets import corpus, executors, manifest, qasper, records, scimrc, tokenizing
from mozi_engine.datasets.executors import Running
from mozi_engine.datasets.manifest import File, Manifest
from mozi_engine.datasets.qasper import QasperPaper
from mozi_engine.datasets.records import Skipped
from mozi_engine.datasets.tokenizing import Chosen
from mozi_engine.errors import DataError
from mozi_engine.types import Progress

LICENCE = "each paper's own (see arXiv's terms of use)"
_GRAM = 13  # words: the length that GPT-3's and later reports look for
_EVERY = 0.5  # seconds between two looks at how far a stage has come
_Form = type[corpus.Jsonl] | type[corpus.Latex] | type[corpus.Pdfs]
_FORMS: tuple[tuple[str, _Form], ...] = (
    (".jsonl", corpus.Jsonl),
    (".tex", corpus.Latex),
    (".pdf", corpus.Pdfs),
)
_PACKED = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".tex", ".pdf")


@dataclass(frozen=True, slots=True)
class Options:
    """What decides the bytes.

    `overlap` is the share of a document's 13-word runs that may stand in the papers of `against`; `held_out`
    the part of the documents that is not trained on; `least` the fewest words of a document; `tasks` the
    most pieces that the work is cut into.
    """

    tokenizer: str
    end: str = ""
    against: tuple[str, ...] = ()
    overlap: float = 0.1
    least: int = 100
    held_out: float = 0.005
    tasks: int = 100
    seed: int = 0
    tolerance: float = records.TOLERANCE


@dataclass(frozen=True, slots=True)
class Stage:
    """One pipeline, and how many tasks it is cut into."""

    name: str
    steps: tuple[Any, ...]
    tasks: int


def prepare(
    raw: Path, out: Path, options: Options, running: Running | None = None
) -> Iterator[Progress | Manifest]:
    """Make the corpus; the last item is its manifest, except from Slurm, which is only asked to make it.

    `raw` is JSONL of RedPajama's form (plain, .gz, .zst), or a folder of it, of LaTeX or of PDFs. Closing the
    iterator, or a kill, stops it; the same call goes on. Raises DataError.
    """
    work, running = out / ".work", running or Running()
    chain = plan(raw, out, options)
    if running.executor == "slurm":
        executors.submit([(s.name, s.steps, s.tasks) for s in chain], work, running)
        return
    for stage in chain:
        executor = executors.make(stage.name, stage.steps, stage.tasks, work, running)
        yield from _run(stage, executor)
        if stage.name == "clean":
            _check(work, options)
    made = _read(out)
    shutil.rmtree(work)
    yield made


def describe(raw: Path, out: Path, options: Options, running: Running) -> list[str]:
    """The stages, or the scripts that Slurm would be given, in order; nothing is made. Raises DataError."""
    work, fresh = out / ".work", not (out / ".work").exists()
    form, root, paths = _found(raw)
    tokenizer = tokenizing.choose(options.tokenizer, options.end)
    chain = _stages(out, _reader(work, form, root), tokenizer, options, _sources(root, paths))
    if running.executor != "slurm":
        return [f"{stage.name}: {stage.tasks} tasks" for stage in chain]
    try:
        return executors.scripts([(s.name, s.steps, s.tasks) for s in chain], work, running)
    finally:
        if fresh:  # datatrove makes the folder of Slurm's logs
            shutil.rmtree(work, ignore_errors=True)


def plan(raw: Path, out: Path, options: Options) -> list[Stage]:
    """The stages, after what they need was written to `out/.work`. Raises DataError."""
    work = out / ".work"
    form, root, paths = _found(raw)
    sources = _sources(root, paths)
    tokenizer = tokenizing.choose(options.tokenizer, options.end)
    _begin(out, work, _facts(options, tokenizer), sources)
    (work / "files.txt").write_text("".join(f"{name}\n" for name in sources), "utf-8")
    (work / "tokenizer.json").write_text(tokenizer.json, "utf-8")
    _index(work / "against", options.against)
    return _stages(out, _reader(work, form, root), tokenizer, options, sources)


def _sources(root: Path, paths: Sequence[Path]) -> dict[str, Path]:
    return {path.relative_to(root).as_posix(): path for path in paths}


def _reader(work: Path, form: _Form, root: Path) -> Any:
    return form(str(root), str(work / "files.txt"), str(work / "skipped"))


def _facts(options: Options, tokenizer: Chosen) -> dict[str, Any]:
    """What the bytes depend on, for the plan and the manifest."""
    return asdict(options) | {
        "against": [Path(path).name for path in options.against],
        "tokenizer": tokenizer.sha256,
        "end": tokenizer.end,
        "end_id": tokenizer.end_id,
        "bytes_a_token": tokenizer.bytes_a_token,
    }


def _stages(
    out: Path, reader: Any, tokenizer: Chosen, options: Options, sources: dict[str, Path]
) -> list[Stage]:
    work, tasks = out / ".work", min(len(sources), options.tasks)
    exact = ExactDedupConfig(content_getter=corpus.content)
    near = MinhashConfig(seed=options.seed + 1)

    def at(*parts: str) -> str:
        return str(work.joinpath(*parts))

    def again() -> JsonlReader:
        return JsonlReader(at("clean"))

    def unique() -> ExactDedupFilter:
        return ExactDedupFilter(at("exact", "found"), config=exact)

    clean = (
        reader,
        corpus.Long(options.least),
        corpus.Decontaminate(at("against"), _GRAM, options.overlap),
        JsonlWriter(at("clean"), "${rank}.jsonl.zst", compression="zstd"),
    )
    signature = corpus.Signature(at("near", "signatures"), near, language=corpus.Words())
    shards = corpus.Shards(at("tokens"), at("tokenizer.json"), tokenizer.end, options.held_out, options.seed)
    return [
        Stage("clean", clean, tasks),
        Stage(
            "exact copies, signatures",
            (again(), ExactDedupSignature(at("exact", "signatures"), exact)),
            tasks,
        ),
        Stage("exact copies", (ExactFindDedups(at("exact", "signatures"), at("exact", "found"), exact),), 1),
        Stage("near copies, signatures", (again(), unique(), signature), tasks),
        Stage(
            "near copies",
            (
                MinhashDedupBuckets(
                    at("near", "signatures"), at("near", "found"), config=near, lines_to_buffer=1000
                ),
            ),
            near.num_buckets,
        ),
        Stage(
            "near copies, groups", (MinhashDedupCluster(at("near", "found"), at("near", "remove"), near),), 1
        ),
        Stage("tokens", (again(), unique(), MinhashDedupFilter(at("near", "remove")), shards), tasks),
        Stage("finish", (corpus.Last(partial(_finish, out, options, tokenizer, sources)),), 1),
    ]


def _found(raw: Path) -> tuple[_Form, Path, list[Path]]:
    """The reader, the folder, and its files by name. Raises DataError unless there are files of one form."""
    if raw.is_file() and raw.name.endswith(_PACKED):
        paths, root = [raw], raw.parent
    else:
        inside = raw.rglob("*") if raw.is_dir() else iter(())
        paths = sorted(p for p in inside if p.name.endswith(_PACKED) and p.is_file() and p.name[0] != ".")
        root = raw
    forms = [(reader, [p for p in paths if ending in p.name]) for ending, reader in _FORMS]
    present = [(reader, chosen) for reader, chosen in forms if chosen]
    if len(present) != 1:
        what = "holds more than one of" if present else "holds none of"
        hint = "give JSONL of RedPajama's form (.jsonl, .gz, .zst), or a folder of it, of LaTeX or of PDFs"
        raise DataError(f"{raw} {what} JSONL, LaTeX and PDF", hint=hint)
    return present[0][0], root, present[0][1]


def _begin(out: Path, work: Path, options: dict[str, Any], sources: dict[str, Path]) -> None:
    """Note what is prepared from what; where that was noted before, it must be the same."""
    stats = {name: path.stat() for name, path in sources.items()}
    facts = {"options": options, "sources": {n: [s.st_size, s.st_mtime_ns] for n, s in stats.items()}}
    noted = json.dumps(facts, sort_keys=True, default=str).encode()
    known = work / "plan.json"
    if known.exists() and known.read_bytes() != noted:
        hint = f"repeat that command to end it, or remove {work}"
        raise DataError(f"{out} holds the beginnings of another preparation", hint=hint)
    if not known.exists():
        manifest.clear(out)
        with files.atomic(known) as file:
            file.write(noted)


def _index(folder: Path, against: Sequence[str]) -> None:
    """The runs of 13 words of the evaluated papers, hashed and sorted, and their ids."""
    if (folder / "ids.json").exists():
        return
    found, ids = [np.empty(0, dtype=np.uint64)], set()
    for path in map(Path, against):
        read = scimrc.splits if ".jsonl" in path.name else qasper.splits
        for _, item in read(path):
            if isinstance(item, QasperPaper):
                ids.add(item.id)
                text = "\n".join([item.title, item.abstract, *(p.text for p in item.passages)])
                found.append(corpus.grams(text, _GRAM))
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "grams.npy", np.unique(np.concatenate(found)))
    with files.atomic(folder / "ids.json") as file:
        file.write(json.dumps(sorted(ids)).encode())


def _run(stage: Stage, executor: PipelineExecutor) -> Iterator[Progress]:
    """Run a stage in a thread, and tell how many of its tasks are done. Raises DataError where one failed."""
    failures: list[Exception] = []

    def work() -> None:
        try:
            executor.run()
        except Exception as error:  # noqa: BLE001  reported below, in the thread that asked
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_EVERY)
        left = len(executor.get_incomplete_ranks(skip_completed=True))
        yield Progress(stage.name, stage.tasks - left, stage.tasks, "tasks")
    logs = executor.logging_dir.path
    if failures and isinstance(failures[0], DataError):
        raise failures[0]
    if failures or executor.get_incomplete_ranks(skip_completed=True):
        reason = f": {failures[0]!r}" if failures else ""
        hint = f"see {logs}/logs; the same command goes on from there"
        raise DataError(f"{stage.name} failed{reason}", hint=hint) from (failures[0] if failures else None)


def _check(work: Path, options: Options) -> None:
    """Raise DataError where too many records were broken, or nothing is left."""
    clean = _totals(work, "clean")
    records.check(_skipped(work), clean["whole"], options.tolerance)
    if not any((work / "clean").glob("*.zst")):
        hint = "see --least-words and --overlap"
        raise DataError(f"nothing is left of {clean.get('whole', 0)} documents", hint=hint)


def _totals(work: Path, stage: str) -> Counter[str]:
    """What the stage's steps counted, over all tasks; what the two deduplications dropped, by its name."""
    found: Counter[str] = Counter()
    for path in executors.folder(work, stage).glob("stats/*.json"):
        for step in json.loads(path.read_bytes()):
            copies = "exact copies" if "exact" in step["name"] else "near copies"
            for label, value in step["stats"].items():
                key = copies if label == "dropped" and "DEDUP" in step["name"] else label
                found[key] += value["total"] if isinstance(value, dict) else value
    return found


def _skipped(work: Path) -> list[Skipped]:
    paths = sorted((work / "skipped").glob("*.jsonl"))
    found = [
        Skipped(**json.loads(line)) for path in paths for line in path.read_text("utf-8").split("\n") if line
    ]
    return sorted(found, key=lambda skipped: (skipped.file, skipped.line))


def _finish(out: Path, options: Options, tokenizer: Chosen, sources: dict[str, Path]) -> None:
    """Give the shards their places, then write the manifest; started again, it goes on."""
    work = out / ".work"
    _check(work, options)
    for path in sorted((work / "tokens").rglob("*.bin*")):
        place = out / path.parent.name / path.name.replace(".bin.index", ".idx")
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)
    counts, left_out = _counts(work)
    shards = {p.relative_to(out).as_posix(): p for split in counts for p in (out / split).glob("*.*")}
    facts = _facts(options, tokenizer)
    seed = facts.pop("seed")
    read, made = manifest.hashed(sources), manifest.hashed(shards)
    skipped = tuple(_skipped(work))
    manifest.finish(out, Manifest("arxiv", LICENCE, seed, facts, read, made, counts, left_out, skipped))


def _counts(work: Path) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    """Documents and tokens by split, and what was left out and why."""
    clean, tokens = _totals(work, "clean"), _totals(work, "tokens")
    counts = {"all": {"documents read": clean["whole"]}}
    for split in ("train", "held_out"):
        if tokens[f"{split} documents"]:
            counts[split] = {what: tokens[f"{split} {what}"] for what in ("documents", "tokens")}
    dropped = {label: n for label, n in clean.items() if label.startswith("dropped_")}
    left_out = {label.removeprefix("dropped_"): n for label, n in dropped.items()}
    left_out |= {name: tokens[name] for name in ("exact copies", "near copies") if tokens[name]}
    return counts, {"all": left_out}


def _read(out: Path) -> Manifest:
    known = json.loads((out / manifest.NAME).read_bytes())
    for field in ("sources", "outputs"):
        known[field] = tuple(File(**item) for item in known[field])
    return Manifest(**known | {"skipped": tuple(Skipped(**item) for item in known["skipped"])})
