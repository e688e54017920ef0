from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

import torch

from mozi_engine.errors import ModelError, SettingsError
from mozi_engine.generation import decoding, engines, template
from mozi_engine.generation.huggingface import HuggingFace
from mozi_engine.settings import Settings
from mozi_engine.types import Anticipating, GenerationSettings, Prefill, Remembering, Turn, Usage
from tests import tiny_llama

PAPER = (Turn("system", "Read."), Turn("user", "We use the tree bank corpus. " * 12))
ASKED = (PAPER[0], Turn("user", PAPER[1].text + "What data do they use?"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama.build(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def adapter(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    tiny_llama.adapter(folder, run / "adapter")
    return run


def engine(folder: Path, states: Path = Path("states"), **options: Any) -> HuggingFace:
    options = {"context": 512, "precision": "float32", **options}
    return HuggingFace(folder, name="tiny", states=states, **options)


@pytest.fixture
def tiny(folder: Path, tmp_path: Path) -> HuggingFace:
    return engine(folder, tmp_path / "states")


def said(model: HuggingFace, messages: tuple[Turn, ...] = ASKED, **settings: Any) -> str:
    decoding = GenerationSettings(**{"max_new_tokens": 12, **settings})
    return "".join(event for event in model.stream(messages, decoding) if isinstance(event, str))


def reference(model: HuggingFace, messages: tuple[Turn, ...], tokens: int) -> str:
    """Greedily, as transformers itself generates."""
    prompt = template.ids(model._tokenizer, template.render(model._tokenizer, messages))
    out = model._model.generate(torch.tensor([prompt]), max_new_tokens=tokens, do_sample=False)
    return model._tokenizer.decode(out[0, len(prompt) :], skip_special_tokens=True)


def test_greedy_is_what_transformers_generates(tiny: HuggingFace) -> None:
    assert isinstance(tiny, Remembering)
    events = list(tiny.stream(ASKED, GenerationSettings(max_new_tokens=12)))
    text = "".join(event for event in events if isinstance(event, str))
    assert text.rstrip("\ufffd") == reference(tiny, ASKED, 12).rstrip("\ufffd")
    steps = [event for event in events if isinstance(event, Prefill)]
    assert steps[0].done == steps[0].cached == 0
    assert steps[-1].done == steps[-1].total > 64
    assert isinstance(events[-1], Usage)
    assert events[-1].prompt_tokens == steps[-1].total


def test_what_two_prompts_share_is_read_once_and_changes_nothing(folder: Path, tiny: HuggingFace) -> None:
    said(tiny)
    other = (ASKED[0], Turn("user", PAPER[1].text + "How many words are trained?"))
    first = next(event for event in tiny.stream(other, GenerationSettings()) if isinstance(event, Prefill))
    assert first.cached > first.total * 0.8
    assert said(tiny, other) == said(engine(folder), other)


def test_a_prompt_read_ahead_is_known_when_it_is_asked(folder: Path, tiny: HuggingFace) -> None:
    assert isinstance(tiny, Anticipating)
    list(tiny.anticipate((ASKED[0], Turn("user", ASKED[1].text[:-3])), lambda: False))
    first = next(event for event in tiny.stream(ASKED, GenerationSettings()) if isinstance(event, Prefill))
    assert first.total - first.cached < 24
    assert said(tiny) == said(engine(folder))


def test_of_a_prompt_read_to_the_beginning_of_its_reply_one_token_is_left(tiny: HuggingFace) -> None:
    list(tiny.anticipate((*ASKED, Turn("assistant", "")), lambda: False))
    first = next(event for event in tiny.stream(ASKED, GenerationSettings()) if isinstance(event, Prefill))
    assert first.total - first.cached <= 1


def test_a_stopped_reply_leaves_a_model_that_answers_the_same(tiny: HuggingFace) -> None:
    whole = said(tiny)
    events = tiny.stream(ASKED, GenerationSettings(max_new_tokens=12))
    next(event for event in events if isinstance(event, str))
    events.close()
    broken = tiny.stream(ASKED, GenerationSettings())
    list(itertools.islice(broken, 2))
    broken.close()
    assert said(tiny) == whole


def test_sampling_depends_on_the_seed_alone(tiny: HuggingFace) -> None:
    drawn = {said(tiny, temperature=1.5, seed=seed) for seed in (1, 1, 2, 3)}
    assert len(drawn) == 3
    assert said(tiny, temperature=1.0, top_k=1) == said(tiny)
    assert said(tiny, temperature=1.0, top_p=0.0) == said(tiny)


@pytest.mark.parametrize("alpha", [0.3, 0.6, 0.9])
def test_contrastive_search_is_its_definition(tiny: HuggingFace, alpha: float) -> None:
    """Su et al., 2022, equation 5, computed without cache: each candidate appended to the whole context."""
    prompt = template.ids(tiny._tokenizer, template.render(tiny._tokenizer, ASKED))
    model, k, tokens = tiny._model, 5, list(prompt)

    def run(ids: list[int]) -> Any:
        with torch.no_grad():
            return model(torch.tensor([ids]), output_hidden_states=True)

    for _ in range(10):
        out = run(tokens)
        chances, candidates = out.logits[0, -1].softmax(-1).topk(k)
        scores = []
        for chance, candidate in zip(chances, candidates, strict=True):
            hidden = run([*tokens, int(candidate)]).hidden_states[-1][0]
            alike = torch.cosine_similarity(hidden[-1:], hidden[:-1])
            scores.append((1 - alpha) * chance - alpha * alike.max())
        tokens.append(int(candidates[int(torch.stack(scores).argmax())]))
        if tokens[-1] in tiny._ends:
            break
    expected = tiny._tokenizer.decode(tokens[len(prompt) :], skip_special_tokens=True)
    found = said(tiny, penalty_alpha=alpha, top_k=k, max_new_tokens=10)
    assert found.rstrip("\ufffd") == expected.rstrip("\ufffd")[: len(found)]
    assert len(found) > 3
    assert tiny._passages.tokens[len(prompt) :] == tokens[len(prompt) :]


def test_the_penalty_of_a_repetition_is_its_likeness() -> None:
    context = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    candidates = torch.tensor([[2.0, 0.0], [-1.0, -1.0]])
    chances = torch.tensor([0.6, 0.4])
    assert decoding.contrasted(chances, candidates, context, 0.01) == 0
    assert decoding.contrasted(chances, candidates, context, 0.6) == 1


def test_a_state_that_was_saved_goes_on_in_another_process(folder: Path, tmp_path: Path) -> None:
    first = engine(folder, tmp_path)
    assert list(first.read(PAPER, lambda: False))[-1].done > 64
    first.save("paper")
    second = engine(folder, tmp_path)
    assert second.identity == first.identity
    second.restore("paper", PAPER)
    prefill = next(
        event for event in second.stream(ASKED, GenerationSettings()) if isinstance(event, Prefill)
    )
    assert prefill.cached > prefill.total * 0.8
    for alpha in (0.0, 0.6):
        assert said(second, penalty_alpha=alpha) == said(engine(folder), penalty_alpha=alpha)


def test_reading_is_held_after_a_piece_and_goes_on_there(tiny: HuggingFace) -> None:
    steps = list(tiny.read(PAPER, lambda: True))
    assert len(steps) == 1
    held: Iterator[bool] = iter([False, True])
    reached = list(tiny.read(PAPER, lambda: next(held)))[-1].done
    assert reached > 0
    assert next(tiny.read(PAPER, lambda: False)).cached >= reached - 1


@pytest.mark.parametrize("content", [None, b"", b"nonsense" * 10])
def test_a_state_that_is_none_is_refused(tiny: HuggingFace, content: bytes | None) -> None:
    tiny.states.mkdir(parents=True, exist_ok=True)
    if content is not None:
        (tiny.states / "bad").write_bytes(content)
    with pytest.raises(ModelError):
        tiny.restore("bad", PAPER)
    assert said(tiny)


def test_another_models_state_is_refused(tiny: HuggingFace, tmp_path: Path) -> None:
    deeper = engine(tiny_llama.build(tmp_path / "deep", num_hidden_layers=3), tiny.states)
    list(deeper.read(PAPER, lambda: False))
    deeper.save("deep")
    with pytest.raises(ModelError):
        tiny.restore("deep", PAPER)


def test_a_prompt_beyond_the_context_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="do not fit") as error:
        said(engine(folder, context=32))
    assert error.value.hint


def test_an_adapter_changes_what_is_said(folder: Path, adapter: Path) -> None:
    assert said(engine(folder, adapter=adapter)) != said(engine(folder))


@pytest.mark.parametrize("config", [{"seed": 1}, {"hidden_size": 64}, {"num_hidden_layers": 1}])
def test_an_adapter_made_for_another_base_is_refused(
    tmp_path: Path, adapter: Path, config: dict[str, int]
) -> None:
    with pytest.raises(ModelError, match="another base"):
        engine(tiny_llama.build(tmp_path / "other", **config), adapter=adapter)


@pytest.mark.parametrize("config", [{"hidden_size": 64}])
def test_an_adapter_that_does_not_tell_its_base_must_fit(
    tmp_path: Path, adapter: Path, config: dict[str, int]
) -> None:
    import shutil

    shutil.copytree(adapter / "adapter", tmp_path / "old")
    (tmp_path / "old" / "base.json").unlink()
    with pytest.raises(ModelError, match="another base"):
        engine(tiny_llama.build(tmp_path / "other", **config), adapter=tmp_path / "old")


def test_the_settings_choose_engine_and_adapter(folder: Path, adapter: Path) -> None:
    made = engines.load(Settings(engine="torch", adapter=str(adapter), precision="float32"))
    assert said(made) == said(engine(folder, adapter=adapter))
    assert engines.load(Settings(engine="torch", model=str(folder))).name == folder.name


@pytest.mark.parametrize(
    ("settings", "kind", "told"),
    [
        ({}, SettingsError, "GGUF"),
        ({"adapter": "nowhere"}, ModelError, "holds no adapter"),
        ({"model": "nowhere"}, ModelError, "nowhere"),
    ],
)
def test_what_is_not_there_is_named(settings: dict[str, str], kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        engines.load(Settings(engine="torch", **settings))


def test_a_tokenizer_without_a_template_or_an_end(tmp_path: Path) -> None:
    plain = template.tokenizer(tiny_llama.build(tmp_path / "plain", template=None))
    text = template.render(plain, [Turn("user", "Hi"), Turn("assistant", "Yes")], asking=False)
    assert text == "User:\nHi\n\nAssistant:\nYes</s>\n\n"
    config = tmp_path / "plain" / "tokenizer_config.json"
    config.write_text(config.read_text().replace('"</s>"', "null"))
    with pytest.raises(ModelError, match="no end token"):
        template.tokenizer(tmp_path / "plain")


def test_a_template_without_system_role_is_given_its_text(tmp_path: Path) -> None:
    refusing = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}" + tiny_llama.CHAT
    )
    found = template.tokenizer(tiny_llama.build(tmp_path / "t", template=refusing))
    text = template.render(found, [Turn("system", "Be brief."), Turn("user", "Hi")])
    assert text == "<|user|>Be brief.\n\nHi\n<|assistant|>"
