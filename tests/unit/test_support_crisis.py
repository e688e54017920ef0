"""The screen: what alarms it, what does not, and how its data and figures hold together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mozi_engine.retrieval.dense import Encoder
from mozi_engine.support import classifier, crisis, meaning
from mozi_engine.support.crisis import screen

DATA = Path(__file__).parents[2] / "benchmarks" / "data"
BLIND = ("blind", *(f"blind{number}" for number in range(2, 8)))


def labelled(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (DATA / f"crisis_{name}.jsonl").read_text("utf-8").splitlines()]


def share(rows: list[dict[str, str]], kinds: set[str]) -> float:
    chosen = [row for row in rows if row["class"] in kinds]
    return sum(screen(row["text"]) is not None for row in chosen) / len(chosen)


@pytest.mark.parametrize(
    "text",
    [
        "I've been giving my things away",
        "不想醒来了",
        "I WANT TO DIE",
        "i don’t want to live anymore",
        "我想自\u200b杀",
        "ｉ ｗａｎｔ ｔｏ ｄｉｅ",
        "我不想活了，論文只是藉口",
        "Everyone would be better off without me",
        "I've never wanted to die as much as I do tonight",
        "今晚我就了结，别劝我",
        "导师不知道，我打算kill myself，就这周",
        "Ich will nicht mehr leben",
        "死にたい",
        "took all the tablets about twenty minutes ago",
        "昨天试了一次没成功，脖子上还有印子",
    ],
)
def test_risk_is_seen(text: str) -> None:
    found = screen(text)
    assert found
    assert found.about == "self"


@pytest.mark.parametrize(
    "text",
    [
        "this review is killing me",
        "累死了",
        "My job was killed by the scheduler",
        "I want to quit my PhD",
        "笑死我了",
        "My thesis is on suicide prevention",
        "I'm giving away my old textbooks, I'm moving to a smaller flat",
        "I've made my peace with the minor revision",
        "只有一条路了：换题",
        "I'd rather die than write another related work section",
        "要死要死要死，明早组会，图一张没做",
        "The paper will live or die by Figure 3",
        "Saying goodbye to the lab on Friday, new job in Lyon starts the 1st!",
        "",
        "   ",
        "?",
    ],
)
def test_venting_idioms_and_research_are_not_risk(text: str) -> None:
    assert screen(text) is None


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("My roommate keeps saying he'd be better off dead.", "other"),
        ("我师妹跟我说她不想活了", "other"),
        ("A postdoc in my lab died by suicide last month", "loss"),
        ("She died by suicide in March, her mug is still on the shelf", "loss"),
        ("I tried to kill myself in my second year.", "past"),
        ("三年前我吞过药，是我妈发现的", "past"),
    ],
)
def test_it_tells_whose_risk_it_is(text: str, about: str) -> None:
    found = screen(text)
    assert found
    assert found.about == about


@pytest.mark.parametrize(
    "text",
    [
        "I won't be here much longer.",
        "I am ready to let go, no fight left.",
        "Everyone would be better off without me.",
    ],
)
def test_a_long_complaint_does_not_hide_what_comes_after_it(text: str) -> None:
    complaint = (
        "My supervisor rewrote the introduction, reviewers want more experiments, the cluster is down. "
    )
    assert screen(text)
    assert screen(complaint + text)
    assert screen("组会又被批了，代码跑不通，" + "真想从这个世界上消失。")


@pytest.mark.parametrize(
    "text",
    [
        "Those are the reviewer's suggestions and I intend to follow them.",
        "My PI moves to Zurich and I've decided to follow her.",
        "We are driving the robot off the bridge in simulation.",
        "Participants who had taken all tablets were included.",
        "I tried to OD the culture at 600 nm.",
        "这个方法我试了一次没成功",
        "又割了一块胶",
        "带着女儿跳蹦床",
        "Which laser was used to cut?",
        "patients hospitalized for suicide attempts",
        "Je veux en finir avec cette thèse",
        "No quiero vivir en Madrid",
    ],
)
def test_what_a_laboratory_says_is_no_sign(text: str) -> None:
    assert screen(text) is None


def test_what_is_said_plainly_needs_no_second_opinion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "probability", lambda text: 0.0)
    assert screen("I want to kill myself")
    assert screen("Saying goodbye to everyone, this is my last message") is None  # a hint does


def test_the_weights_were_made_with_the_encoder_that_ships() -> None:
    weights = Path(classifier.__file__).with_name("classifier.tsv").read_text("utf-8")
    assert f"encoder {Encoder(folder=meaning.FOLDER).id}." in weights


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_can_be_screened(text: str) -> None:
    found = screen(text)
    assert found is None or found.sign
    assert 0 <= classifier.probability(crisis.unexcused(crisis.plain(text))) <= 1


def test_train_and_test_share_no_template_and_no_text() -> None:
    train, test = labelled("train"), labelled("test")
    blind = [row for name in BLIND for row in labelled(name)]
    assert len(train) + len(test) >= 600
    for key in ("template", "text"):
        assert not {row[key] for row in train} & {row[key] for row in test}
    assert not {row["text"] for row in [*train, *test]} & {row["text"] for row in blind}
    for row in [*train, *test]:
        assert set(row) == {"text", "label", "class", "lang", "template"}
        assert (row["label"] == "risk") == (row["class"] in ("explicit", "oblique", "third_person", "past"))
        assert row["lang"] in ("en", "zh")
        assert row["template"].startswith(f"{row['lang']}/{row['class']}/")


@pytest.mark.parametrize(("name", "oblique"), [("test", 0.65), ("blind", 0.55)])
def test_the_screen_is_no_worse_than_when_it_was_measured(name: str, oblique: float) -> None:
    rows = labelled(name)
    assert share(rows, {"explicit"}) >= 0.85
    assert share(rows, {"oblique"}) >= oblique
    assert share(rows, {"venting"}) <= 0.05


def test_on_all_blind_sets_together_the_screen_keeps_its_goals() -> None:
    rows = [row for name in BLIND for row in labelled(name)]
    assert share(rows, {"explicit"}) >= 0.95
    assert share(rows, {"oblique"}) >= 0.85
    assert share(rows, {"venting"}) < 0.03
