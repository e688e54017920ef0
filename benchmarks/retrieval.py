r"""Every idea for finding evidence, measured on papers no encoder here was trained on; and mozi's weights.

    python benchmarks/retrieval.py rows dev.json train10.json --strangers QASA.json \
        --encoder MiniLM=BASE/encoder --encoder SciDPR=RUN/encoder
    python benchmarks/retrieval.py weights dev.json train10.json --strangers QASA.json \
        --encoder SciDPR=RUN/encoder

The files are QASPER's, as published, or made by benchmarks/leval.py; QASA's questions are asked of
papers that they are not about.
What is learned (weights, cutoffs) is scored by cross-validation over papers. Intervals are over papers too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mozi_engine.datasets import qasper
from mozi_engine.datasets.qasper import QasperPaper, Question
from mozi_engine.evaluation import official
from mozi_engine.evaluation.bootstrap import Score, difference
from mozi_engine.evaluation.report import Table
from mozi_engine.evaluation.retrieval import found, table
from mozi_engine.retrieval import scoring, select
from mozi_engine.retrieval.bm25 import Bm25
from mozi_engine.retrieval.dense import Dense, Encoder, embed, searched
from mozi_engine.retrieval.hybrid import Hybrid
from mozi_engine.retrieval.scoring import Floats, Weights
from mozi_engine.sentences import sentences
from mozi_engine.training.retrieval.weights import Asked, cross_validated, fit
from mozi_engine.types import Evidence, Passage

USES = {  # which of the features are learned from
    "learned weights": range(len(scoring.NAMES)),
    "learned weights, no sections": range(8),
    "learned weights, words and cosines only": range(6),
}
EACH = 4  # strangers' questions a paper
WEIGHTS = Path(__file__).parents[1] / "mozi_engine" / "retrieval" / "weights.toml"
COLUMNS = ("Evidence-F1 at 1", "Evidence-F1 at 2", "Evidence-F1 at 3", "Evidence-F1, learned cutoff")
COLUMNS += ("Evidence-F1, oracle cutoff", "recall at 5", "MRR")

Cut = Callable[[Passage], list[str]]
Key = tuple[str, str]  # a paper's id, and a question


def whole(passage: Passage) -> list[str]:
    """A passage behind its section's title, as mozi encodes it."""
    return [searched(passage)]


def bare(passage: Passage) -> list[str]:
    """A passage alone."""
    return [passage.text]


def windows(passage: Passage, most: int = 60) -> list[str]:
    """The passage, and its runs of sentences of at most 60 words where it is longer."""
    runs: list[list[int]] = []
    for start, end in sentences(passage.text):
        if runs and len(passage.text[runs[-1][0] : end].split()) <= most:
            runs[-1][1] = end
        else:
            runs.append([start, end])
    pieces = [passage.text[start:end] for start, end in runs]
    return whole(passage) + [text for text in pieces if len(pieces) > 1]


def statement(question: str) -> str:
    """The question as the beginning of its answer: "What corpus do they use?" -> "The corpus they use is"."""
    text = question.strip().rstrip("?").strip()
    asked = re.match(r"(?i)(?:what|which) (.+?) (?:do|does|did) (.+)", text)
    if asked:
        return f"The {asked[1]} {asked[2]} is"
    said = re.sub(r"(?i)^(?:what|which|who|how many|how|why|where|when) ?(?:is|are|was|were)? ?", "", text)
    return re.sub(r"(?i)^(?:do|does|did|is|are|was|were) ", "", said)


def encoded(encoder: Encoder, name: str, texts: Sequence[str]) -> Floats:
    """Unit vectors, from the cache where it has them."""
    passages = [Passage(i, "", text, "text", ()) for i, text in enumerate(texts)]
    return np.asarray(embed(name, passages, encoder), np.float64)


def asked(
    papers: Sequence[QasperPaper], encoder: Encoder, cut: Cut = whole, wording: Callable[[str], str] = str
) -> list[Asked]:
    """Every question of every paper; a passage is as near as the nearest of its pieces."""
    return [item for paper in papers for item in _asked(paper, encoder, cut, wording)]


def _asked(paper: QasperPaper, encoder: Encoder, cut: Cut, wording: Callable[[str], str]) -> Iterator[Asked]:
    pieces = [(i, text) for i, passage in enumerate(paper.passages) for text in cut(passage)]
    vectors = encoded(encoder, paper.id, [text for _, text in pieces])
    questions = encoded(encoder.asking, paper.id, [wording(question.text) for question in paper.questions])
    owners, words = np.array([owner for owner, _ in pieces]), Bm25(paper.passages)
    for question, vector in zip(paper.questions, questions, strict=True):
        cosines = np.full(len(paper.passages), -1.0)
        np.maximum.at(cosines, owners, vectors @ vector)
        rows = scoring.features(paper.passages, words.scores(question.text), cosines)
        evidence = tuple(passage.text in question.evidence for passage in paper.passages)
        coverage = words.coverage(question.text)
        yield Asked(paper.id, question.text, rows, cosines, coverage, evidence, any(evidence))


def strangers(papers: Sequence[QasperPaper], path: Path) -> list[QasperPaper]:
    """The papers, each with four questions that were asked of others: QASA's unanswerable ones."""
    texts = [record["question"] for record in json.loads(path.read_text("utf-8")).values()]
    drawn = np.random.default_rng(0).permutation(len(texts))
    made = []
    for place, paper in enumerate(papers):
        chosen = drawn[place * EACH : (place + 1) * EACH]
        made.append(replace(paper, questions=tuple(Question(f"{i}", texts[i], ()) for i in chosen)))
    return made


def bodies(paths: Sequence[Path]) -> list[QasperPaper]:
    """The files' papers with body paragraphs alone."""
    read = [item for path in paths for item in qasper.read(path) if isinstance(item, QasperPaper)]
    return [replace(paper, passages=tuple(p for p in paper.passages if p.kind == "text")) for paper in read]


@dataclass(frozen=True)
class Ranked:
    """A retriever whose scores are known: by question, one a passage."""

    passages: Sequence[Passage]
    scores: Mapping[str, Floats]

    def search(self, query: str, k: int) -> list[Evidence]:
        """The `k` best."""
        scores = self.scores[query]
        best = np.argsort(-scores, kind="stable")[:k]
        return [Evidence(self.passages[i], float(scores[i]), rank) for rank, i in enumerate(best, start=1)]


@dataclass(frozen=True)
class Idea:
    """A way to find evidence: the scores of each question's passages, which may be chances."""

    name: str
    scores: Mapping[Key, Floats]
    chances: bool = False
    strangers: Sequence[Floats] = ()


def ideas(papers: Sequence[QasperPaper], encoders: Mapping[str, Encoder], far: Path) -> Iterator[Idea]:
    """Every idea, one after another; what concerns the encoder alone is tried with the last."""
    apart = strangers(papers, far)
    for number, (name, encoder) in enumerate(encoders.items()):
        known, unknown = asked(papers, encoder), asked(apart, encoder)
        near = {_key(item): item.cosines for item in known}
        words = {_key(item): item.rows[:, 0] for item in known}
        if number == 0:
            yield Idea("BM25", words)
        yield Idea(name, near)
        yield Idea(f"BM25 + {name}, reciprocal ranks", reciprocal(words, near))
        for label, use in USES.items():
            yield learned(f"BM25 + {name}, {label}", known, unknown, list(use))
    yield Idea(f"{name}, no section titles", {_key(i): i.cosines for i in asked(papers, encoder, bare)})
    worded = asked(papers, encoder, whole, statement)
    stated = {_key(old): new.cosines for old, new in zip(known, worded, strict=True)}
    yield Idea(f"{name}, questions as statements", stated)
    pieces = asked(papers, encoder, windows)
    yield Idea(f"{name}, best of a passage's 60-word windows", {_key(i): i.cosines for i in pieces})
    yield learned(
        f"BM25 + {name}, learned weights, 60-word windows", pieces, unknown, list(USES["learned weights"])
    )


def learned(name: str, known: Sequence[Asked], unknown: Sequence[Asked], use: Sequence[int]) -> Idea:
    """Chances by cross-validation over papers."""
    chances = cross_validated([*known, *unknown], use)
    scores = {_key(item): each for item, each in zip(known, chances, strict=False)}
    return Idea(name, scores, chances=True, strangers=chances[len(known) :])


def _key(item: Asked) -> Key:
    return item.paper_id, item.question


def reciprocal(*rankings: Mapping[Key, Floats], k: int = 60) -> dict[Key, Floats]:
    """Reciprocal rank fusion (Cormack et al., 2009)."""
    return {key: np.sum([1 / (k + ranks(scores[key])) for scores in rankings], axis=0) for key in rankings[0]}


def ranks(scores: Floats) -> Floats:
    """The rank of each, from 1; ties in order."""
    placed = np.empty(len(scores))
    placed[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return placed


def measured(papers: Sequence[QasperPaper], idea: Idea) -> Table:
    """An idea's figures."""

    def build(paper_id: str, passages: Sequence[Passage]) -> Ranked:
        mine = {question: row for (paper, question), row in idea.scores.items() if paper == paper_id}
        return Ranked(passages, mine)

    def cutoff(_: str, evidence: Sequence[Evidence]) -> int | None:
        return select.cutoff([item.score for item in evidence]) if idea.chances else None

    return table(idea.name, found(papers, build, cutoff), official.clusters(papers))


def row(papers: Sequence[QasperPaper], idea: Idea, seconds: float) -> str:
    """A row of the table."""
    figures = {each.name: each for each in measured(papers, idea).scores()}
    return f"| {idea.name} | {' | '.join(map(cell, map(figures.get, COLUMNS)))} | {seconds:.0f} |"


def cell(score: Score | None) -> str:
    """A figure in percent and its interval."""
    if score is None or score.interval is None:
        return ""
    low, high = score.interval
    return f"{score.value * 100:.1f} ({low * 100:.0f}-{high * 100:.0f})"


def doubts(papers: Sequence[QasperPaper], idea: Idea) -> str:
    """How many questions each threshold on the first passage's chance doubts, answered or not."""
    questions = [(paper.id, question) for paper in papers for question in paper.questions]
    first = {key: float(scores.max()) for key, scores in idea.scores.items()}
    refused = [first[key, q.text] for key, q in questions if q.unanswerable]
    answered = [first[key, q.text] for key, q in questions if not q.unanswerable]
    apart = [float(scores.max()) for scores in idea.strangers]
    lines = [
        f"{idea.name}: {len(answered)} questions that the paper answers, {len(refused)} that annotators call"
        f" unanswerable, {len(apart)} of QASA's put to it.\n",
        "| doubted when the first chance is under | answered | unanswerable | QASA's |",
        "|---|---|---|---|",
    ]
    for limit in (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15):
        shares = (np.mean(np.array(values) < limit) for values in (answered, refused, apart))
        lines.append(f"| {limit} | {' | '.join(f'{share:.0%}' for share in shares)} |")
    return "\n".join(lines)


def cutoffs(papers: Sequence[QasperPaper], idea: Idea) -> str:
    """Evidence-F1 by the share of the first chance that is believed, and by the most that are."""
    lines = ["| most | " + " | ".join(f"{share}" for share in SHARES) + " |", "|---|" + "---|" * len(SHARES)]
    for most in (1, 2, 3, 5):
        figures = [f"{100 * float(np.mean(_cut(papers, idea, share, most))):.1f}" for share in SHARES]
        lines.append(f"| {most} | {' | '.join(figures)} |")
    return f"{idea.name}:\n\n" + "\n".join(lines)


SHARES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def _cut(papers: Sequence[QasperPaper], idea: Idea, share: float, most: int) -> list[float]:
    values = []
    for paper in papers:
        mine = {question: row for (key, question), row in idea.scores.items() if key == paper.id}
        scored = found(
            [paper],
            lambda _, passages, mine=mine: Ranked(passages, mine),  # type: ignore[misc]
            lambda _, evidence: select.cutoff([item.score for item in evidence], share, most),
        )
        values += [item.learned_f1 or 0.0 for item in scored]
    return values


def rows(arguments: argparse.Namespace) -> None:
    """Print the tables."""
    papers = bodies(arguments.papers)
    print(f"{sum(len(p.questions) for p in papers)} questions, {len(papers)} papers; {machine()}\n")
    print(f"| idea | {' | '.join(COLUMNS)} | seconds |\n|---|{'---|' * (len(COLUMNS) + 1)}")
    began, more = time.monotonic(), []
    for idea in ideas(papers, encoders_of(arguments.encoder), arguments.strangers):
        print(row(papers, idea, time.monotonic() - began), flush=True)
        if idea.name.endswith("learned weights"):
            more += [doubts(papers, idea), cutoffs(papers, idea)]
        began = time.monotonic()
    print("", *more, sep="\n\n")


def compare(arguments: argparse.Namespace) -> None:
    """Print what learned weights with the last encoder gain over reciprocal ranks with the first."""
    papers, encoders = bodies(arguments.papers), list(encoders_of(arguments.encoder).values())
    old, new = asked(papers, encoders[0]), asked(papers, encoders[-1])
    words, near = ({_key(i): i.rows[:, 0] for i in old}, {_key(i): i.cosines for i in old})
    unknown = asked(strangers(papers, arguments.strangers), encoders[-1])
    before = measured(papers, Idea("before", reciprocal(words, near)))
    after = measured(papers, learned("after", new, unknown, list(USES["learned weights"])))
    print("| | reciprocal ranks | learned weights | difference | p |\n|---|---|---|---|---|")
    known = {measure.name: measure for measure in before.measures}
    for measure in after.measures:
        first = known.get(measure.name, known["Evidence-F1 at 2"])  # the cutoff's rival is a fixed two
        gain = difference(first, measure, after.clusters)
        low, high = (100 * bound for bound in gain.interval)
        values = f"{100 * gain.first:.1f} | {100 * gain.second:.1f} | {100 * (gain.second - gain.first):+.1f}"
        print(f"| {measure.name} | {values} ({low:+.1f} to {high:+.1f}) | {gain.p:.4f} |")


def machine() -> str:
    """The processor, and how busy it is."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(names, platform.machine())}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def weights(arguments: argparse.Namespace) -> None:
    """Fit on all papers, and write the file that ships."""
    papers = bodies(arguments.papers)
    (encoder,) = encoders_of(arguments.encoder).values()
    known = [*asked(papers, encoder), *asked(strangers(papers, arguments.strangers), encoder)]
    model = fit(known, list(USES["learned weights"]))
    lines = ["# Made by `benchmarks/retrieval.py weights`; read by mozi_engine/retrieval/scoring.py."]
    lines += [*_written("evidence", model.evidence, scoring.NAMES)]
    lines += [*_written("answerable", model.answerable, scoring.SIGNS)]
    arguments.out.write_text("\n".join(lines) + "\n", "utf-8")


def _written(name: str, fitted: Weights, columns: Sequence[str]) -> Iterator[str]:
    yield from ("", f"[{name}]", f"bias = {fitted.bias:.4f}", "", f"[{name}.weights]")
    for column, value in zip(columns, fitted.weights, strict=True):
        yield f'"{column}" = {value:.4f}'


def latency(arguments: argparse.Namespace) -> None:
    """Print how long three papers take to embed, and a question to search: medians."""
    embedding, searching = [], []
    (encoder,) = encoders_of(arguments.encoder).values()
    for paper in bodies(arguments.papers)[:3]:
        texts = [whole(passage)[0] for passage in paper.passages]
        encoder.encode(texts[:1])
        began = time.perf_counter()
        vectors = encoder.encode(texts)
        embedding.append((time.perf_counter() - began) / len(texts))
        hybrid = Hybrid(paper.passages, Bm25(paper.passages), Dense(paper.passages, vectors, encoder.asking))
        for question in paper.questions:
            began = time.perf_counter()
            hybrid.search(question.text, 20)
            searching.append(time.perf_counter() - began)
    print(
        f"{machine()}: {np.median(searching) * 1000:.1f} ms a question, "
        f"{np.median(embedding) * 60:.2f} s for 60 passages"
    )


def encoders_of(given: Sequence[str]) -> dict[str, Encoder]:
    """NAME=FOLDER, in the order given."""
    pairs = (text.partition("=") for text in given)
    return {name: Encoder(folder=Path(folder)) for name, _, folder in pairs}


def main() -> None:
    """Measure, or make what ships."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    for verb in (rows, compare, weights, latency):
        command = verbs.add_parser(verb.__name__, help=verb.__doc__)
        command.add_argument("papers", type=Path, nargs="+")
        command.add_argument("--encoder", action="append", default=[], metavar="NAME=FOLDER")
        command.add_argument("--strangers", type=Path, help="QASA's unanswerable questions")
        command.add_argument("--out", type=Path, default=WEIGHTS, help="where weights are written")
        command.set_defaults(run=verb)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
