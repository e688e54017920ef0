"""Train the crisis classifier, and measure the whole screen.

    python benchmarks/crisis.py train --encoder OUT [--negatives SMILE.jsonl]
    python benchmarks/crisis.py thresholds
    python benchmarks/crisis.py measure [--smile SMILE.jsonl] [--esconv ESCONV.jsonl]

`train` reads `benchmarks/data/crisis_train.jsonl`, what `crisis_encoder.py` left in OUT and, as further
messages without risk, a sample of what clients say in SMILE (Qiu et al., 2023; CC0), and writes
`mozi_engine/support/classifier.tsv`. The threshold of each language is chosen on `crisis_test.jsonl` and
`crisis_blind.jsonl` to `crisis_blind6.jsonl`; `thresholds` chooses it anew for the weights that are there.
`measure` prints docs/results/support.md: those, and `crisis_blind7.jsonl`, which was used for nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from mozi_engine.retrieval.dense import Encoder
from mozi_engine.support import classifier, crisis, meaning

DATA = Path(__file__).parent / "data"
WEIGHTS = Path(crisis.__file__).with_name("classifier.tsv")
RISKS = ("explicit", "oblique", "third_person", "past")
OTHERS = ("venting", "distress", "hyperbole", "idiom", "lyrics", "quote", "everyday")
LANGUAGES = ("en", "zh")
FOLDS = 3
MEANT = "(meaning)"  # what the encoder says of a message: log odds
L2 = 0.5
STEPS = 200
SMILE_WEIGHT = 0.4  # of one of SMILE's messages against one of the set's
SMILE_SAMPLE = 500
FALSE_ALARMS = 0.0175  # on venting: what the thresholds are chosen for; other venting will alarm more
BLIND = ("crisis_blind", *(f"crisis_blind{number}" for number in range(2, 8)))
TITLES = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh")
DEVELOPMENT = ("crisis_test", *BLIND[:-1])  # where they are chosen
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
    meant: float = 0.0  # by an encoder that has not seen it; 0 where none reads its language


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
    training.add_argument("--encoder", type=Path, required=True)
    training.add_argument("--negatives", type=Path)
    training.set_defaults(run=train)
    commands.add_parser("thresholds").set_defaults(run=thresholds)
    measuring = commands.add_parser("measure")
    measuring.add_argument("--smile", type=Path)
    measuring.add_argument("--esconv", type=Path)
    measuring.set_defaults(run=measure)
    options = parser.parse_args()
    options.run(options)


def train(options: argparse.Namespace) -> None:
    """Write the weights: a model a language."""
    said = json.loads((options.encoder / "scores.json").read_text("utf-8"))
    head = json.loads((options.encoder / "head.json").read_text("utf-8"))
    messages = [m._replace(meant=said.get(m.text, 0.0)) for m in read(DATA / "crisis_train.jsonl")]
    extra = negatives(options.negatives) if options.negatives else []
    lines = [
        "# Log odds of risk, by language and feature; made by benchmarks/crisis.py train. Platt's scaling.",
        f"# English messages were read by encoder {Encoder(folder=meaning.FOLDER).id}.",
    ]
    for lang in LANGUAGES:
        spoken, more = ([m for m in each if m.lang == lang] for each in (messages, extra))
        bias, weights = calibrated(spoken, more)
        if lang == "en":
            meant = weights.pop(MEANT)
            weights |= {name: meant * weight for name, weight in zip(classifier.MEANING, head, strict=True)}
        table = {"(bias)": bias, "(threshold)": 0.5}
        table |= {
            name: w for name, w in sorted(weights.items()) if abs(w) >= 0.02 or name in classifier.MEANING
        }
        lines += [f"{lang}\t{name}\t{weight:.4g}" for name, weight in table.items()]
        print(f"{lang}: {len(table) - 2} weights")
    WEIGHTS.write_text("\n".join(lines) + "\n", "utf-8")
    classifier._models.cache_clear()  # the rules ask the new weights about hints
    by_rule.cache_clear()
    thresholds(options)


def thresholds(_: argparse.Namespace) -> None:
    """Choose the thresholds of the weights that ship, and write them beside these."""
    text = WEIGHTS.read_text("utf-8")
    for lang, model in classifier._models().items():
        chosen = threshold(lang, model.bias, model.weights)
        text = re.sub(rf"(?m)^({lang}\t\(threshold\)\t).*$", rf"\g<1>{chosen:.4g}", text)
        print(f"{lang}: {chosen:.3f}")
    WEIGHTS.write_text(text, "utf-8")


def calibrated(messages: Sequence[Message], extra: Sequence[Message]) -> tuple[float, dict[str, float]]:
    """Bias and weights whose sum is log odds, by Platt's scaling of what cross-validation says."""
    scores = cross_validated(messages, extra)
    slope, offset = platt(scores, np.array([m.risk for m in messages], float))
    fitted = fit([*messages, *extra])
    weights = {name: slope * float(fitted.weights[place]) for name, place in fitted.names.items()}
    return slope * fitted.bias + offset, weights


def threshold(lang: str, bias: float, weights: Mapping[str, float]) -> float:
    """The probability above which the wanted share of a language's venting lies, with what the rules find.

    On venting by other authors than the training messages': those were written to be hard to tell from risk.
    """
    messages = [message for name in DEVELOPMENT for message in read(DATA / f"{name}.jsonl")]
    venting = [m for m in messages if (m.kind, m.lang) == ("venting", lang)]
    left = [m for m in venting if not by_rule(m)]
    allowed = max(0, int(FALSE_ALARMS * len(venting)) - (len(venting) - len(left)))
    odds = sorted(
        bias + sum(weights[name] * x for name, x in classifier.values(seen(m), weights).items()) for m in left
    )
    return 1 / (1 + math.exp(-odds[-1 - allowed]))


@cache
def by_rule(message: Message) -> bool:
    """Whether a rule gives the alarm: a hint among them with the classifier's consent."""
    return crisis.ruled(seen(message)) is not None


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


@cache
def seen(message: Message) -> str:
    """The text as the classifier sees it."""
    return crisis.unexcused(crisis.plain(message.text))


def cross_validated(messages: Sequence[Message], extra: Sequence[Message]) -> NDArray[np.float64]:
    """The score of each message by a model that has seen none of its template."""
    scores = np.zeros(len(messages))
    for number in range(FOLDS):
        fitted = fit([*(message for message in messages if fold(message) != number), *extra])
        for place, message in enumerate(messages):
            if fold(message) == number:
                scores[place] = score(fitted, message)
    return scores


def fold(message: Message) -> int:
    """The fold of the message's template, 0 to FOLDS - 1."""
    return int(hashlib.sha256(message.template.encode()).hexdigest(), 16) % FOLDS


def score(fitted: Fit, message: Message) -> float:
    """The message's log odds."""
    found = values(message, fitted.names)
    return fitted.bias + sum(fitted.weights[fitted.names[name]] * x for name, x in found.items())


def values(message: Message, names: dict[str, int]) -> dict[str, float]:
    """What the model is given of a message, by name."""
    return classifier.values(seen(message), names) | {MEANT: message.meant}


def fit(messages: Sequence[Message]) -> Fit:
    """L2-regularised logistic regression."""
    names = vocabulary(messages)
    rows = [values(message, names) for message in messages]
    inputs = csr_matrix(
        (
            [x for row in rows for x in row.values()],
            [names[name] for row in rows for name in row],
            np.cumsum([0, *map(len, rows)]),
        ),
        shape=(len(rows), len(names)),
    )
    model = LogisticRegression(C=1 / L2, max_iter=STEPS)
    model.fit(inputs, [m.risk for m in messages], sample_weight=[m.weight for m in messages])
    return Fit(names, model.coef_[0], float(model.intercept_[0]))


def vocabulary(messages: Sequence[Message]) -> dict[str, int]:
    """A place for every feature that is seen often enough."""
    counts: dict[str, int] = {}
    for message in messages:
        for name in classifier.features(seen(message)):
            counts[name] = counts.get(name, 0) + 1
    names = [MEANT, *sorted(name for name, count in counts.items() if count >= RARE)]
    return {name: place for place, name in enumerate(names)}


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
    for title, name in zip(TITLES, BLIND, strict=True):
        blind = read(DATA / f"{name}.jsonl")
        print(f"\n## {title} blind set\n")
        print(f"{len(blind)} messages of {len({m.template for m in blind})} templates.\n")
        table(blind)
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
    print("| class | language | messages | alarms | share | 95% interval | by rules |")
    print("|---|---|---|---|---|---|---|")
    kinds = dict.fromkeys((*RISKS, *OTHERS, *(m.kind for m in messages)))
    for kind in kinds:
        for lang in ("both", "en", "zh"):
            chosen = [m for m in messages if m.kind == kind and lang in ("both", m.lang)]
            if not chosen:
                continue
            alarms = sum(crisis.screen(m.text) is not None for m in chosen)
            ruled = sum(map(by_rule, chosen))
            low, high = wilson(alarms, len(chosen))
            cells = (
                kind,
                lang,
                len(chosen),
                alarms,
                f"{alarms / len(chosen):.3f}",
                f"{low:.3f}-{high:.3f}",
                ruled,
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
