"""Train the crisis classifier, and measure the whole screen.

    python benchmarks/crisis.py train [--negatives SMILE.jsonl]
    python benchmarks/crisis.py measure [--smile SMILE.jsonl] [--esconv ESCONV.jsonl]

`train` reads `benchmarks/data/crisis_train.jsonl` and, as further messages without risk, a sample of what
clients say in SMILE (Qiu et al., 2023; CC0), and writes `mozi_engine/support/classifier.tsv`. The threshold
is chosen by cross-validation over templates. `measure` prints docs/results/support.md: it reads
`crisis_test.jsonl`, whose templates are all others.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mozi_engine.support import classifier, crisis

DATA = Path(__file__).parent / "data"
WEIGHTS = Path(crisis.__file__).with_name("classifier.tsv")
RISKS = ("explicit", "oblique", "third_person", "past")
OTHERS = ("venting", "hyperbole", "idiom", "lyrics", "quote", "everyday")
FOLDS = 4
L2 = 0.5
STEPS = 150
SMILE_WEIGHT = 0.4  # of one of SMILE's messages against one of the set's
SMILE_SAMPLE = 500
FALSE_ALARMS = 0.02  # on venting, in cross-validation: what the threshold is chosen for
RARE = 3  # words that are seen in fewer messages have no weight
# Left out of the negatives: words that, in a real post, may mean risk that nobody has labelled.
UNSURE = re.compile("自杀|轻生|不想活|想死|去死|自残|割腕|跳楼|结束生命|解脱|消失|遗书|伤害自己|活着|死")


class Message(NamedTuple):
    """A labelled message; `group` is what its template and language share."""

    text: str
    risk: bool
    kind: str
    lang: str
    template: str
    weight: float = 1.0


class Fit(NamedTuple):
    """A logistic model: log odds = bias + weights . values."""

    names: dict[str, int]
    weights: NDArray[np.float64]
    bias: float


def main() -> None:
    """Run the subcommand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True)
    training = commands.add_parser("train")
    training.add_argument("--negatives", type=Path)
    training.set_defaults(run=train)
    measuring = commands.add_parser("measure")
    measuring.add_argument("--smile", type=Path)
    measuring.add_argument("--esconv", type=Path)
    measuring.set_defaults(run=measure)
    options = parser.parse_args()
    options.run(options)


def train(options: argparse.Namespace) -> None:
    """Write the weights."""
    messages = read(DATA / "crisis_train.jsonl")
    extra = negatives(options.negatives) if options.negatives else []
    scores = cross_validated(messages, extra)
    slope, offset = platt(scores, np.array([m.risk for m in messages], float))
    venting = sorted(score for score, m in zip(scores, messages, strict=True) if m.kind == "venting")
    limit = venting[-1 - int(FALSE_ALARMS * len(venting))]
    fitted = fit([*messages, *extra])
    threshold = 1 / (1 + math.exp(-(slope * limit + offset)))
    lines = [
        "# Log odds of risk, by feature; made by benchmarks/crisis.py train. Calibrated by Platt's scaling.",
        f"(bias)\t{slope * fitted.bias + offset:.4f}",
        f"(threshold)\t{threshold:.4f}",
    ]
    weights = {name: slope * fitted.weights[place] for name, place in fitted.names.items()}
    lines += [f"{name}\t{w:.3f}" for name, w in sorted(weights.items()) if abs(w) >= 0.02]
    WEIGHTS.write_text("\n".join(lines) + "\n", "utf-8")
    print(f"{len(lines) - 3} weights, threshold {threshold:.2f}")


def read(path: Path) -> list[Message]:
    """The labelled messages of a file."""
    rows = map(json.loads, path.read_text("utf-8").splitlines())
    return [Message(r["text"], r["label"] == "risk", r["class"], r["lang"], r["template"]) for r in rows]


def negatives(path: Path, seed: int = 0) -> list[Message]:
    """A sample of what clients say in SMILE, without what may mean risk."""
    said = [text for *_, text in clients(path) if not UNSURE.search(text)]
    chosen = random.Random(seed).sample(said, min(SMILE_SAMPLE, len(said)))  # noqa: S311
    return [Message(text, False, "smile", "zh", text[:40], SMILE_WEIGHT) for text in chosen]


def clients(path: Path) -> Iterable[tuple[str, int, str]]:
    """Every message of the person who seeks help, in SMILE's or ESConv's form: dialogue, turn, text."""
    for row in map(json.loads, path.read_text("utf-8").splitlines()):
        for place, turn in enumerate(row["turns"]):
            if turn.get("role", turn.get("speaker")) in ("client", "seeker"):
                yield row["id"], place, turn.get("content") or turn["text"]


def seen(message: Message) -> str:
    """The text as the classifier sees it."""
    return crisis.unexcused(crisis.plain(message.text))


def cross_validated(messages: Sequence[Message], extra: Sequence[Message]) -> NDArray[np.float64]:
    """The score of each message by a model that has seen none of its template."""
    folds = [int(hashlib.sha256(m.template.encode()).hexdigest(), 16) % FOLDS for m in messages]
    scores = np.zeros(len(messages))
    for fold in range(FOLDS):
        fitted = fit([*(m for m, f in zip(messages, folds, strict=True) if f != fold), *extra])
        for place, (message, f) in enumerate(zip(messages, folds, strict=True)):
            if f == fold:
                scores[place] = score(fitted, message)
    return scores


def score(fitted: Fit, message: Message) -> float:
    """The message's log odds."""
    found = classifier.values(seen(message), fitted.names)
    return fitted.bias + sum(fitted.weights[fitted.names[name]] * x for name, x in found.items())


def fit(messages: Sequence[Message]) -> Fit:
    """L2-regularised logistic regression by Adam (Kingma and Ba, 2015), full batch."""
    names = vocabulary(messages)
    inputs = np.zeros((len(messages), len(names) + 1), np.float32)
    inputs[:, -1] = 1  # the bias
    for row, message in zip(inputs, messages, strict=True):
        for name, x in classifier.values(seen(message), names).items():
            row[names[name]] = x
    wanted = np.array([m.risk for m in messages], np.float32)
    importance = np.array([m.weight for m in messages], np.float32)
    penalty = np.full(len(names) + 1, L2)
    penalty[-1] = 0

    def gradient(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        predicted = 1 / (1 + np.exp(-(inputs @ weights.astype(np.float32))))
        return inputs.T @ ((predicted - wanted) * importance) + penalty * weights

    weights = adam(gradient, len(names) + 1)
    return Fit(names, weights[:-1], float(weights[-1]))


def vocabulary(messages: Sequence[Message]) -> dict[str, int]:
    """A place for every feature that is seen often enough."""
    counts: dict[str, int] = {}
    for message in messages:
        for name in classifier.features(seen(message)):
            counts[name] = counts.get(name, 0) + 1
    return {name: place for place, name in enumerate(sorted(n for n, c in counts.items() if c >= RARE))}


def adam(gradient: Callable[[NDArray[np.float64]], NDArray[np.float64]], size: int) -> NDArray[np.float64]:
    """Where the gradient leads in STEPS steps of 0.1."""
    weights, first, second = np.zeros(size), np.zeros(size), np.zeros(size)
    for step in range(1, STEPS + 1):
        slope = gradient(weights)
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        weights -= 0.1 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weights


def platt(scores: NDArray[np.float64], wanted: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and offset that make the scores log odds (Platt, 1999), by Newton's method."""
    inputs = np.stack([scores, np.ones_like(scores)], axis=1)
    weights = np.array([1.0, 0.0])
    for _ in range(25):
        predicted = 1 / (1 + np.exp(-(inputs @ weights)))
        curvature = (inputs * (predicted * (1 - predicted))[:, None]).T @ inputs + 1e-6 * np.eye(2)
        weights -= np.linalg.solve(curvature, inputs.T @ (predicted - wanted))
    return float(weights[0]), float(weights[1])


def wilson(found: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95% interval of a share (Wilson, 1927)."""
    if not count:
        return 0.0, 1.0
    share = found / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def measure(options: argparse.Namespace) -> None:
    """Print the tables of docs/results/support.md."""
    tested, trained = read(DATA / "crisis_test.jsonl"), read(DATA / "crisis_train.jsonl")
    print((DATA / "crisis.md").read_text("utf-8"))
    print("## Held-out templates\n")
    print(
        f"{len(tested)} messages of {len({m.template for m in tested})} templates; "
        f"trained on {len(trained)} of {len({m.template for m in trained})} others.\n"
    )
    table(tested)
    if options.smile:
        real_chinese(options.smile)
    if options.esconv:
        said = list(clients(options.esconv))
        alarms = sum(crisis.screen(text) is not None for *_, text in said)
        print(
            f"\n## ESConv\n\n{alarms} alarms in {len(said)} messages of people who seek help (English, dev)."
        )


def table(messages: Sequence[Message]) -> None:
    """One row a class: recall where there is risk, false alarms where there is none."""
    print("| class | language | messages | alarms | share | 95% interval | by rules alone |")
    print("|---|---|---|---|---|---|---|")
    for kind in (*RISKS, *OTHERS):
        for lang in ("both", "en", "zh"):
            chosen = [m for m in messages if m.kind == kind and lang in ("both", m.lang)]
            alarms = sum(crisis.screen(m.text) is not None for m in chosen)
            by_rule = sum(crisis.ruled(seen(m)) is not None for m in chosen)
            low, high = wilson(alarms, len(chosen))
            cells = (
                kind,
                lang,
                len(chosen),
                alarms,
                f"{alarms / len(chosen):.3f}",
                f"{low:.3f}-{high:.3f}",
                by_rule,
            )
            print(f"| {' | '.join(map(str, cells))} |")


def real_chinese(path: Path) -> None:
    """Recall and false alarms on SMILE, whose risk was labelled by hand (`smile_risk.jsonl`)."""
    rows = map(json.loads, (DATA / "smile_risk.jsonl").read_text("utf-8").splitlines())
    labels = {(row["id"], row["turn"]): row["label"] for row in rows}
    counts: dict[str, list[bool]] = {"risk": [], "unclear": [], "none": []}
    for dialogue, turn, text in clients(path):
        counts[labels.get((dialogue, turn), "none")].append(crisis.screen(text) is not None)
    print("\n## Real messages (SMILE, Chinese)\n")
    print("| label | messages | alarms | share | 95% interval |\n|---|---|---|---|---|")
    for label, found in counts.items():
        low, high = wilson(sum(found), len(found))
        share = sum(found) / max(len(found), 1)
        print(f"| {label} | {len(found)} | {sum(found)} | {share:.3f} | {low:.3f}-{high:.3f} |")


if __name__ == "__main__":
    main()
