r"""Every idea for finding evidence, measured on papers no encoder here was trained on; and mozi's weights.

    python benchmarks/retrieval.py rows dev.json train10.json --unanswerable QASA.json \
        --encoder MiniLM=BASE/encoder --encoder SciDPR=RUN/encoder
    python benchmarks/retrieval.py weights dev.json train10.json --unanswerable QASA.json \
        --encoder SciDPR=RUN/encoder

The files are QASPER's, as published, or made by benchmarks/leval.py; QASA's questions have no answer.
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
from mozi_engine.evaluation.bootstrap import Score
from mozi_engine.evaluation.retrieval import found, table
from mozi_engine.retrieval import scoring, select
from mozi_engine.retrieval.bm25 import Bm25
from mozi_engine.retrieval.dense import Dense, Encoder, embed
from mozi_engine.retrieval.hybrid import Hybrid
from mozi_engine.retrieval.scoring import Floats
from mozi_engine.sentences import sentences
from mozi_engine.training.weights import Key, Strangers, answerability, cross_validated, fit, shapes
from mozi_engine.types import Evidence, Passage

USES = {  # which of the features are learned from
    "learned weights": range(len(scoring.NAMES)),
    "learned weights, no sections": range(8),
    "learned weights, words and cosines only": range(6),
}
WEIGHTS = Path(__file__).parents[1] / "mozi_engine" / "retrieval" / "weights.toml"
COLUMNS = ("Evidence-F1 at 1", "Evidence-F1 at 2", "Evidence-F1 at 3", "Evidence-F1, learned cutoff")
COLUMNS += ("Evidence-F1, oracle cutoff", "recall at 5", "MRR")


@dataclass(frozen=True)
class Ranked:
    """A retriever whose scores are known: by question, one a passage."""

    passages: Sequence[Passage]
    scores: Mapping[str, Floats]

    def search(self, query: str, k: int) -> list[Evidence]:
        """The `k` best; the scores are their chances too."""
        scores = self.scores[query]
        best = np.argsort(-scores, kind="stable")[:k]
        return [
            Evidence(self.passages[i], float(scores[i]), rank, float(scores[i]))
            for rank, i in enumerate(best, start=1)
        ]


@dataclass(frozen=True)
class Lab:
    """The papers' bodies, and one encoder's opinion on every question."""

    papers: Sequence[QasperPaper]
    words: Mapping[Key, Floats]

    def cosines(
        self, encoder: Encoder, cut: Callable[[Passage], list[str]], wording: Callable[[str], str] = str
    ) -> dict[Key, Floats]:
        """The highest cosine of each passage's pieces with each question, worded so."""
        near: dict[Key, Floats] = {}
        for paper in self.papers:
            pieces = [(i, text) for i, passage in enumerate(paper.passages) for text in cut(passage)]
            vectors = encoded(encoder, paper.id, [text for _, text in pieces])
            asked = encoded(encoder, paper.id, [wording(question.text) for question in paper.questions])
            owners = np.array([owner for owner, _ in pieces])
            for question, vector in zip(paper.questions, asked, strict=True):
                best = np.full(len(paper.passages), -1.0)
                np.maximum.at(best, owners, vectors @ vector)
                near[paper.id, question.text] = best
        return near

    def features(self, cosines: Mapping[Key, Floats]) -> dict[Key, Floats]:
        """What speaks for every passage, by question."""
        return {
            (paper.id, question.text): scoring.features(
                paper.passages,
                self.words[paper.id, question.text],
                cosines[paper.id, question.text],
            )
            for paper in self.papers
            for question in paper.questions
        }


def encoded(encoder: Encoder, name: str, texts: Sequence[str]) -> Floats:
    """Unit vectors, from the cache where it has them."""
    passages = [Passage(i, "", text, "text", ()) for i, text in enumerate(texts)]
    return np.asarray(embed(name, passages, encoder), np.float64)


def whole(passage: Passage) -> list[str]:
    """A passage behind its section's title, as mozi encodes it."""
    return [f"{passage.section}: {passage.text}" if passage.section else passage.text]


def bare(passage: Passage) -> list[str]:
    """A passage alone."""
    return [passage.text]


def statement(question: str) -> str:
    """The question as the beginning of its answer: "What corpus do they use?" -> "The corpus they use is"."""
    text = question.strip().rstrip("?").strip()
    asked = re.match(r"(?i)(?:what|which) (.+?) (?:do|does|did) (.+)", text)
    if asked:
        return f"The {asked[1]} {asked[2]} is"
    said = re.sub(r"(?i)^(?:what|which|who|how many|how|why|where|when) ?(?:is|are|was|were)? ?", "", text)
    return re.sub(r"(?i)^(?:do|does|did|is|are|was|were) ", "", said)


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


def reciprocal(*all_scores: Mapping[Key, Floats], k: int = 60) -> dict[Key, Floats]:
    """Reciprocal rank fusion (Cormack et al., 2009)."""
    return {key: sum(1 / (k + ranks(scores[key])) for scores in all_scores) for key in all_scores[0]}


def ranks(scores: Floats) -> Floats:
    """The rank of each, from 1; ties in order."""
    placed = np.empty(len(scores))
    placed[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return placed


def strangers(lab: Lab, encoder: Encoder, path: Path | None, each: int = 4) -> Strangers:
    """For every paper, `each` questions that were asked of papers unlike it (QASA's unanswerable ones)."""
    if path is None:
        return {}
    asked = [record["question"] for record in json.loads(path.read_text("utf-8")).values()]
    drawn = np.random.default_rng(0).permutation(len(asked))
    made: dict[str, list[Floats]] = {}
    for place, paper in enumerate(lab.papers):
        chosen = [asked[i] for i in drawn[place * each : (place + 1) * each]]
        vectors = encoded(encoder, paper.id, [whole(passage)[0] for passage in paper.passages])
        words = Bm25(paper.passages)
        cosines = vectors @ encoded(encoder, paper.id, chosen).T
        made[paper.id] = [
            scoring.features(paper.passages, words.scores(question), cosines[:, i])
            for i, question in enumerate(chosen)
        ]
    return made


def bodies(paths: Sequence[Path]) -> list[QasperPaper]:
    """The files' papers with body paragraphs alone."""
    read = [item for path in paths for item in qasper.read(path) if isinstance(item, QasperPaper)]
    return [replace(paper, passages=tuple(p for p in paper.passages if p.kind == "text")) for paper in read]


def lab_of(paths: Sequence[Path]) -> Lab:
    """The papers and BM25's scores."""
    papers = bodies(paths)
    words = {
        (paper.id, question.text): index.scores(question.text)
        for paper in papers
        for index in [Bm25(paper.passages)]
        for question in paper.questions
    }
    return Lab(papers, words)


@dataclass(frozen=True)
class Idea:
    """A way to find evidence: its scores, and where it has one its chance that there is none."""

    name: str
    scores: Mapping[Key, Floats]
    none: Mapping[Key, float] | None = None
    strangers: Sequence[float] = ()


def ideas(lab: Lab, encoders: Mapping[str, Encoder], unanswerable: Path | None) -> Iterator[Idea]:
    """Every idea, one after another."""
    yield Idea("BM25", lab.words)
    for name, encoder in encoders.items():
        near = lab.cosines(encoder, whole)
        yield Idea(name, near)
        yield Idea(f"BM25 + {name}, reciprocal ranks", reciprocal(lab.words, near))
        rows, far = lab.features(near), strangers(lab, encoder, unanswerable)
        for label, use in USES.items():
            learned = cross_validated(lab.papers, rows, list(use), far)
            yield Idea(f"BM25 + {name}, {label}", learned.chances, learned.none, learned.strangers)
    yield Idea(f"{name}, without section titles", lab.cosines(encoder, bare))
    yield Idea(f"{name}, questions as statements", lab.cosines(encoder, whole, statement))
    pieces = lab.cosines(encoder, windows)
    yield Idea(f"{name}, best of a passage's 60-word windows", pieces)
    learned = cross_validated(lab.papers, lab.features(pieces), list(USES["learned weights"]), {})
    yield Idea(f"BM25 + {name}, learned weights, 60-word windows", learned.chances)


def row(lab: Lab, idea: Idea, seconds: float) -> str:
    """A row of the table."""

    def build(paper_id: str, passages: Sequence[Passage]) -> Ranked:
        mine = {question: row for (paper, question), row in idea.scores.items() if paper == paper_id}
        return Ranked(passages, mine)

    owners = {passage.text: paper.id for paper in lab.papers for passage in paper.passages}

    def cutoff(question: str, evidence: Sequence[Evidence]) -> int | None:
        if idea.none is None:
            return None
        absent = idea.none[owners[evidence[0].passage.text], question]
        return select.cutoff([item.score for item in evidence], absent)

    scored = found(lab.papers, build, cutoff)
    figures = {each.name: each for each in table("", scored, official.clusters(lab.papers)).scores()}
    return f"| {idea.name} | {' | '.join(map(cell, map(figures.get, COLUMNS)))} | {seconds:.0f} |"


def cell(score: Score | None) -> str:
    """A figure in percent and its interval."""
    if score is None or score.interval is None:
        return ""
    low, high = score.interval
    return f"{score.value * 100:.1f} ({low * 100:.0f}-{high * 100:.0f})"


def refusals(lab: Lab, idea: Idea) -> str:
    """How many that are not answered each threshold finds, and how many that are it takes for such."""
    assert idea.none is not None
    questions = [(paper.id, question) for paper in lab.papers for question in paper.questions]
    refused = [idea.none[key, q.text] for key, q in questions if unanswered(q)]
    answered = [idea.none[key, q.text] for key, q in questions if not unanswered(q)]
    lines = [
        f"{idea.name}: {len(answered)} questions that are answered, {len(refused)} that annotators call"
        f" unanswerable, {len(idea.strangers)} asked of another paper.\n",
        "| doubted when the chance of an answer is under | answered | unanswerable | another paper's |",
        "|---|---|---|---|",
    ]
    for limit in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        shares = (np.mean(1 - np.array(values) < limit) for values in (answered, refused, idea.strangers))
        lines.append(f"| {limit} | {' | '.join(f'{share:.0%}' for share in shares)} |")
    return "\n".join(lines)


def unanswered(question: Question) -> bool:
    """Whether most annotators say that the paper does not answer."""
    return sum(reference.type == "none" for reference in question.references) * 2 > len(question.references)


def rows(arguments: argparse.Namespace) -> None:
    """Print the tables."""
    lab = lab_of(arguments.papers)
    print(f"{sum(len(p.questions) for p in lab.papers)} questions, {len(lab.papers)} papers; {machine()}\n")
    print(f"| idea | {' | '.join(COLUMNS)} | seconds |\n|---|{'---|' * (len(COLUMNS) + 1)}")
    began, doubts = time.monotonic(), []
    for idea in ideas(lab, encoders_of(arguments.encoder), arguments.unanswerable):
        print(row(lab, idea, time.monotonic() - began), flush=True)
        doubts += [refusals(lab, idea)] if idea.strangers else []
        began = time.monotonic()
    print("", *doubts, sep="\n\n")


def machine() -> str:
    """The processor, and how busy it is."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(names, platform.machine())}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def weights(arguments: argparse.Namespace) -> None:
    """Fit on all papers, and write the file that ships."""
    lab = lab_of(arguments.papers)
    (encoder,) = encoders_of(arguments.encoder).values()
    features = lab.features(lab.cosines(encoder, whole))
    use = list(range(len(scoring.NAMES)))
    fitted = fit(lab.papers, features, use)
    far = strangers(lab, encoder, arguments.unanswerable)
    model = answerability(*shapes(lab.papers, features, use, fitted, far))
    lines = ["# Made by benchmarks/retrieval.py weights; read by mozi_engine/retrieval.", "", "[passage]"]
    lines += [f"bias = {fitted.bias:.4f}", "", "[passage.weights]"]
    lines += [f'"{name}" = {value:.4f}' for name, value in zip(scoring.NAMES, fitted.weights, strict=True)]
    lines += ["", "[answerable]", f"bias = {model.intercept_[0]:.4f}", f"doubtful = {arguments.doubtful}"]
    names = ("first", "first over fifth", "expected number")
    lines += ["", "[answerable.weights]"]
    lines += [f'"{name}" = {value:.4f}' for name, value in zip(names, model.coef_[0], strict=True)]
    WEIGHTS.write_text("\n".join(lines) + "\n", "utf-8")


def latency(arguments: argparse.Namespace) -> None:
    """Print how long a paper takes to embed, and a question to search: medians over the papers."""
    embedding, searching = [], []
    (encoder,) = encoders_of(arguments.encoder).values()
    for paper in bodies(arguments.papers):
        texts = [whole(passage)[0] for passage in paper.passages]
        encoder.encode(texts[:1])
        began = time.perf_counter()
        vectors = encoder.encode(texts)
        embedding.append((time.perf_counter() - began) / len(texts))
        hybrid = Hybrid(paper.passages, Bm25(paper.passages), Dense(paper.passages, vectors, encoder))
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
    for verb in (rows, weights, latency):
        command = verbs.add_parser(verb.__name__, help=verb.__doc__)
        command.add_argument("papers", type=Path, nargs="+")
        command.add_argument("--encoder", action="append", default=[], metavar="NAME=FOLDER")
        command.add_argument("--unanswerable", type=Path, help="QASA's unanswerable questions")
        command.add_argument("--doubtful", type=float, default=0.5, help="the threshold that ships")
        command.set_defaults(run=verb)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
