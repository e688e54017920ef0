from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mozi_engine import prompts
from mozi_engine.datasets import dialogues, dolly, mixture
from mozi_engine.datasets.manifest import Manifest
from mozi_engine.errors import DataError

FORMS = {
    "original": ["Human: I am lost.", "Bot: Tell me more.", "Human: My thesis.", "Bot: What about it?"],
    "smile": {
        "id": 7,
        "turns": [
            {"role": "client", "content": "I am lost."},
            {"role": "counselor", "content": "Tell me more."},
            {"role": "client", "content": "My thesis."},
            {"role": "counselor", "content": "What about it?"},
        ],
    },
    "esconv": {
        "turns": [
            {"speaker": "supporter", "strategy": "Other", "text": "Hello"},
            {"speaker": "seeker", "text": "I am lost."},
            {"speaker": "supporter", "strategy": "Question", "text": "Tell me"},
            {"speaker": "supporter", "strategy": "Question", "text": "more."},
            {"speaker": "seeker", "text": "My thesis."},
            {"speaker": "supporter", "strategy": "Question", "text": "What about it?"},
            {"speaker": "seeker", "text": "Bye"},
        ]
    },
    "sharegpt": {
        "conversations": [
            {"from": "system", "value": "Be kind."},
            {"from": "human", "value": "I am lost."},
            {"from": "gpt", "value": "Tell me more."},
            {"from": "human", "value": "My thesis."},
            {"from": "gpt", "value": "What about it?"},
        ]
    },
    "emollm": {
        "conversation": [
            {"system": "Be kind.", "input": "I am lost.", "output": "Tell me more."},
            {"input": "My thesis.", "output": "What about it?"},
        ]
    },
}


def _jsonl(path: Path, records: Sequence[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records), "utf-8")
    return path


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def _files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def _dialogues(raw: Path, out: Path, flagged: str = "die", **options: Any) -> Manifest:
    chosen = dialogues.Options(**({"held_out": 0.0} | options))
    *_, made = dialogues.prepare(raw, out, lambda text: flagged in text, chosen)
    assert isinstance(made, Manifest)
    return made


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("told", [True, False])
def test_every_form_gives_the_same_conversation(tmp_path: Path, form: str, told: bool) -> None:
    raw = _jsonl(tmp_path / "raw.jsonl", [FORMS[form]])
    _dialogues(raw, tmp_path / "out", form=form if told else "")
    (line,) = _lines(tmp_path / "out" / "train" / "sft.jsonl")
    system, *messages = line["messages"]
    assert system == {"role": "system", "content": prompts.SUPPORT[""]}
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant"]
    words = [message["content"].replace("\n", " ") for message in messages]
    assert words == ["I am lost.", "Tell me more.", "My thesis.", "What about it?"]


@pytest.mark.parametrize(
    "content",
    [
        [FORMS["smile"], FORMS["esconv"]],
        FORMS["sharegpt"],
        FORMS["original"],
        [FORMS["original"]],
        FORMS["smile"]["turns"],  # type: ignore[call-overload]
    ],
)
def test_json_files_hold_one_dialogue_or_a_list(tmp_path: Path, content: object) -> None:
    (tmp_path / "raw.json").write_text(json.dumps(content))
    assert _dialogues(tmp_path / "raw.json", tmp_path / "out").counts["train"]["dialogues"] >= 1


def test_what_the_screen_flags_is_set_apart_and_counted(tmp_path: Path) -> None:
    flagged = ["Human: I am well.", "Bot: Good.", "Human: I want to die.", "Bot: Oh."]
    made = _dialogues(_jsonl(tmp_path / "raw.jsonl", [FORMS["original"], flagged]), tmp_path / "out")
    assert made.counts == {"flagged": {"dialogues": 1}, "train": {"dialogues": 1, "turns": 4}}
    (line,) = _lines(tmp_path / "out" / "flagged.jsonl")
    assert (line["id"], line["flagged"]) == ("raw-2", 3)
    assert "die" not in (tmp_path / "out" / "train" / "sft.jsonl").read_text()


def test_a_copy_and_a_dialogue_without_a_reply_are_left_out(tmp_path: Path) -> None:
    silent = [["Human: Hello?"], ["Bot: Hello."], ["Human: ", "Bot: x"]]
    made = _dialogues(
        _jsonl(tmp_path / "raw.jsonl", [FORMS["smile"], FORMS["emollm"], *silent]), tmp_path / "out"
    )
    assert made.left_out == {"all": {"a copy of an earlier dialogue": 1, "no reply in it": 3}}


def _many(number: int) -> list[object]:
    return [[f"Human: I wrote {n} pages.", "Bot: Go on."] for n in range(number)]


def test_a_dialogues_split_depends_on_its_words_and_the_seed_alone(tmp_path: Path) -> None:
    raw = _jsonl(tmp_path / "raw.jsonl", _many(300))
    first = _dialogues(raw, tmp_path / "a", held_out=0.2)
    _dialogues(_jsonl(tmp_path / "b.jsonl", _many(300)[::-1]), tmp_path / "b", held_out=0.2)
    _dialogues(raw, tmp_path / "c", held_out=0.2, seed=1)
    assert 30 < first.counts["test"]["dialogues"] < 90

    def held(name: str) -> set[str]:
        return {line["messages"][1]["content"] for line in _lines(tmp_path / name / "test" / "sft.jsonl")}

    assert held("a") == held("b") != held("c")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "not JSON"),
        ("7", "7 is not an object"),
        ("[]", "no known form"),
        ("{}", "no known form"),
        ('{"turns": []}', "no known form"),
        ('{"turns": 7}', "not subscriptable"),
        ('{"turns": [7]}', "not iterable"),
        ('{"turns": [{"role": "client"}]}', "no 'content'"),
        ('{"turns": [{"role": "client", "content": 3}]}', "3 is not a text"),
        ('{"turns": [{"role": "dog", "content": "Wuff"}]}', "'dog' is neither"),
        ('{"turns": [{"role": null, "content": "x"}]}', "None is not a text"),
        ('["hello there"]', "says not who speaks"),
        ('["Dog: Wuff"]', "'Dog' is neither"),
        ('["Human: x", 3]', "3 is not a text"),
        ('{"conversations": null}', "not iterable"),
        ('{"conversations": [{"from": "gpt"}]}', "no 'value'"),
        ('{"conversation": [{"input": "x"}]}', "no 'output'"),
        ('["Human: \\ud800", "Bot: x"]', "surrogates"),
    ],
)
def test_a_broken_dialogue_is_named_counted_and_skipped(tmp_path: Path, line: str, why: str) -> None:
    made = _dialogues(_jsonl(tmp_path / "raw.jsonl", [*_many(120), line]), tmp_path / "out")
    (skipped,) = made.skipped
    assert (skipped.file, skipped.line) == ("raw.jsonl", 121)
    assert why in skipped.reason
    assert made.counts["train"]["dialogues"] == 120


@pytest.mark.parametrize("content", ["3", "null", '""', "true", "[]", "[3]", "[null]", "[[]]", "[{}]"])
def test_a_json_file_without_a_dialogue_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "raw.json").write_text(content)
    with pytest.raises(DataError) as caught:
        _dialogues(tmp_path / "raw.json", tmp_path / "out")
    assert caught.value.hint


DOLLY = {"instruction": "Name a fruit.", "context": "", "response": "An apple.", "category": "open_qa"}


def _dolly(raw: Path, out: Path) -> Manifest:
    *_, made = dolly.prepare(raw, out)
    assert isinstance(made, Manifest)
    return made


def test_an_instruction_with_and_without_a_text(tmp_path: Path) -> None:
    raw = _jsonl(tmp_path / "dolly.jsonl", [DOLLY, {**DOLLY, "context": "Apples, pears."}])
    made = _dolly(raw, tmp_path / "out")
    first, second = _lines(tmp_path / "out" / "train" / "sft.jsonl")
    assert [m["content"] for m in first["messages"]] == ["Name a fruit.", "An apple."]
    assert second["messages"][0]["content"] == "Name a fruit.\n\nApples, pears."
    assert made.counts["train"]["tasks, open_qa"] == 2
    assert "CC BY-SA" in made.licence


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"instruction": " "}, "no instruction"),
        ({"response": ""}, "no response"),
        ({"response": None}, "None is not a text"),
        ({"context": 3}, "3 is not a text"),
        ({"category": ["a"]}, "is not a text"),
    ],
)
def test_a_broken_instruction_is_named(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    made = _dolly(_jsonl(tmp_path / "dolly.jsonl", [DOLLY] * 120 + [{**DOLLY, **change}]), tmp_path / "out")
    assert [(skipped.line, why in skipped.reason) for skipped in made.skipped] == [(121, True)]


def test_instructions_of_another_form_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 of 2 records are broken"):
        _dolly(_jsonl(tmp_path / "dolly.jsonl", [{"text": "x"}, "{"]), tmp_path / "out")


def _mixed(tmp_path: Path, name: str, **parts: Path) -> list[dict[str, Any]]:
    *_, made = mixture.prepare(parts, tmp_path / name, mixture.Options(seed=1))
    assert isinstance(made, Manifest)
    return _lines(tmp_path / name / "train" / "sft.jsonl")


def test_a_mixture_holds_every_line_once_with_its_source_in_a_seeded_order(tmp_path: Path) -> None:
    numbered = [{**DOLLY, "instruction": f"Name fruit {n}."} for n in range(30)]
    _dolly(_jsonl(tmp_path / "dolly.jsonl", numbered), tmp_path / "dolly")
    _dialogues(_jsonl(tmp_path / "raw.jsonl", _many(30)), tmp_path / "talk")
    parts = {"dolly": tmp_path / "dolly", "talk": tmp_path / "talk"}
    lines = _mixed(tmp_path, "a", **parts)
    assert len({line["id"] for line in lines}) == 60
    assert {line["source"] for line in lines} == {"dolly", "talk"}
    assert [line["source"] for line in lines] != sorted(line["source"] for line in lines)
    _mixed(tmp_path, "b", **parts)
    assert _files(tmp_path / "a") == _files(tmp_path / "b")


def test_a_part_that_was_not_prepared_or_was_changed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder that mozi has prepared"):
        _mixed(tmp_path, "out", dolly=tmp_path)
    _dolly(_jsonl(tmp_path / "dolly.jsonl", [DOLLY]), tmp_path / "dolly")
    for line in (
        '{"messages": [], "id": "x"}',
        '{"messages": [{"role": "user", "content": "x"}], "id": "x"}',
        "{",
    ):
        (tmp_path / "dolly" / "train" / "sft.jsonl").write_text(line + "\n")
        with pytest.raises(DataError, match="1 of 1 records are broken"):
            _mixed(tmp_path, "out", dolly=tmp_path / "dolly")
