import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from mozi_engine.errors import DataError
from mozi_engine.evaluation import crisis
from mozi_engine.evaluation.dialogues import Item, perplexity, read, replies, reply, sample, table
from mozi_engine.evaluation.report import Table
from mozi_engine.types import Progress, Turn

MESSAGES = ("论文又被拒了", "听起来很难受。", "是啊", "你想先歇一天吗?")


def _file(path: Path, *dialogues: Sequence[str]) -> Path:
    roles = ("user", "assistant")
    lines = [
        {
            "id": f"d{number}",
            "type": "support",
            "messages": [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)],
        }
        for number, texts in enumerate(dialogues)
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")  # no newline at the end
    return path


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    return read(_file(tmp_path / "sft.jsonl", MESSAGES, ("hi", "hello there"), ("one", "two")))


def test_every_reply_is_an_item_with_what_was_said_before(items: list[Item]) -> None:
    assert [(item.id, item.message, item.reference) for item in items] == [
        ("d0.1", MESSAGES[0], MESSAGES[1]),
        ("d0.3", MESSAGES[2], MESSAGES[3]),
        ("d1.1", "hi", "hello there"),
        ("d2.1", "one", "two"),
    ]
    assert items[1].history == (Turn("user", MESSAGES[0]), Turn("assistant", MESSAGES[1]))


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        "{}",
        '{"id": "x", "messages": 3}',
        '{"id": "x", "messages": [3]}',
        '{"id": "x", "messages": [{"role": "robot", "content": "x"}]}',
        '{"id": "x", "messages": [{"role": "user", "content": null}]}',
    ],
)
def test_a_line_of_another_form_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "sft.jsonl"
    path.write_text(line + "\n", "utf-8")
    with pytest.raises(DataError, match="line 1 is no"):
        read(path)


def test_a_file_without_replies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no reply"):
        read(_file(tmp_path / "sft.jsonl", ("hi",)))
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "none.jsonl")


def test_a_longer_sample_begins_with_the_shorter_one(items: list[Item]) -> None:
    assert sample(items, 2, 1) == sample(items, 3, 1)[:2]
    assert sorted(item.id for item in sample(items, 0, 1)) == [item.id for item in items]


def test_replies_are_written_as_they_come_and_only_once(items: list[Item], tmp_path: Path) -> None:
    asked: list[str] = []

    def respond(message: str, history: Sequence[Turn]) -> str:
        asked.append(message)
        return f"{message} {len(history)}"

    list(reply(items[:2], respond, tmp_path))
    whole = (tmp_path / "replies.jsonl").read_bytes()
    (tmp_path / "replies.jsonl").write_bytes(whole[:-3])  # as a kill leaves it
    list(reply(items[:2], respond, tmp_path))
    assert (tmp_path / "replies.jsonl").read_bytes() == whole
    assert asked == [MESSAGES[0], MESSAGES[2], MESSAGES[2]]
    assert replies(tmp_path) == {"d0.1": f"{MESSAGES[0]} 0", "d0.3": f"{MESSAGES[2]} 2"}


def test_what_is_no_reply_is_never_added_to(items: list[Item], tmp_path: Path) -> None:
    (tmp_path / "replies.jsonl").write_text('{"id": 3}\n', "utf-8")
    with pytest.raises(DataError, match="line 1 is no reply"):
        list(reply(items, lambda *_: "x", tmp_path))


def test_the_table_of_replies(items: list[Item]) -> None:
    said = {"d0.1": "听起来很难受。", "d0.3": "听起来很难受。", "d1.1": "hello"}
    found = table(items, said)
    values = {score.name: score for score in found.scores()}
    assert values["BLEU"].value == pytest.approx(0.25, abs=0.15)
    assert values["ROUGE-L"].value == pytest.approx((1 + 0 + 2 / 3 + 0) / 4, abs=0.01)
    assert values["length, words"].value == (6 + 6 + 1 + 0) / 4
    assert values["length of the reference"].value == (6 + 7 + 2 + 1) / 4
    assert values["distinct-1"].value == 7 / 13
    assert values["distinct-2"].value == 5 / 10
    assert values["distinct-1"].interval is None
    assert values["distinct-1 of the reference"].value == 1
    assert found.notes == ("1 of 4 messages have no reply and count as an empty one",)
    assert found.clusters["d0.3"] == "d0"


class Even:
    """Finds each of two letters as likely as the other."""

    def conversation(self, turns: Sequence[Turn]) -> list[int]:
        return self.tokens("".join(turn.text for turn in turns))

    def tokens(self, text: str) -> list[int]:
        return list(map(ord, text))

    def nats(self, tokens: Sequence[int], known: int = 1) -> float:
        return (len(tokens) - known) * math.log(2)


def test_the_perplexity_is_of_the_reference_alone(items: list[Item]) -> None:
    *steps, found = perplexity("base", items, Even())
    assert len(steps) == 4
    assert all(isinstance(step, Progress) for step in steps)
    assert isinstance(found, Table)
    (score,) = found.scores()
    assert (score.name, score.value) == ("perplexity of the reference", pytest.approx(2))


def _labelled(path: Path, *messages: tuple[str, str, str]) -> Path:
    lines = [
        {"text": text, "label": label, "lang": lang, "class": "venting" if label == "none" else "explicit"}
        for text, label, lang in messages
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    return path


def test_recall_and_false_alarms_by_language_and_class(tmp_path: Path) -> None:
    path = _labelled(
        tmp_path / "crisis.jsonl",
        ("I want to die", "risk", "en"),
        ("想死", "risk", "zh"),
        ("this deadline is killing me", "none", "en"),
        ("I could die of shame", "none", "en"),
        ("累", "none", "zh"),
    )
    found = crisis.table(crisis.read(path), lambda text: "die" in text)
    assert {score.name: (score.value, score.n) for score in found.scores()} == {
        "recall": (0.5, 2),
        "recall, en": (1.0, 1),
        "recall, explicit": (0.5, 2),
        "recall, zh": (0.0, 1),
        "false alarms": (pytest.approx(1 / 3), 3),
        "false alarms, en": (0.5, 2),
        "false alarms, venting": (pytest.approx(1 / 3), 3),
        "false alarms, zh": (0.0, 1),
    }


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"text": "x"}', '{"text": 1, "label": "risk"}'])
def test_a_line_that_is_no_labelled_message_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "crisis.jsonl"
    path.write_text(line, "utf-8")
    with pytest.raises(DataError, match="line 1 is no"):
        crisis.read(path)
    path.write_text("", "utf-8")
    with pytest.raises(DataError, match="no message"):
        crisis.read(path)
