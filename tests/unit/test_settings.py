from pathlib import Path

import pytest

from mozi_engine.errors import SettingsError
from mozi_engine.settings import Settings, chosen, load


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(text, "utf-8")
    return path


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load(tmp_path / "none.toml", {}) == Settings()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = _write(tmp_path, 'model = "a"\npassages = 3\n')
    settings = load(path, {"MOZI_MODEL": "b", "MOZI_PDF_GIGABYTES": "1.5"})
    assert (settings.model, settings.passages, settings.pdf_gigabytes) == ("b", 3, 1.5)


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("modle = 'x'", "unknown key 'modle'", "did you mean 'model'?"),
        ("passages = 'four'", "passages = 'four' is not a whole number", ""),
        ("passages = true", "passages = True is not a whole number", ""),
        ("context = -1", "context = -1 is out of range", "more than zero"),
        ("passages = 0", "passages = 0 is out of range", "more than zero"),
        ("threads = -1", "threads = -1 is out of range", "zero or more"),
        ("pdf_gigabytes = inf", "pdf_gigabytes = inf is out of range", ""),
        ("pdf_gigabytes = nan", "pdf_gigabytes = nan is out of range", ""),
        ("engine = 'cuda'", "engine = 'cuda'", "one of llamacpp, remote, torch"),
        ("model = ", "settings.toml", "correct the file"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, said: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(_write(tmp_path, text), {})
    assert said in caught.value.message
    assert caught.value.hint
    assert hint in caught.value.hint
    assert "settings.toml" in caught.value.message


def test_a_file_that_is_not_text_is_an_error_of_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError):
        load(path, {})


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MOZI_PASSAGES='many' is not a whole number"):
        load(tmp_path / "none.toml", {"MOZI_PASSAGES": "many"})
    with pytest.raises(SettingsError, match="MOZI_ENGINE = 'cuda'") as caught:
        load(tmp_path / "none.toml", {"MOZI_ENGINE": "cuda"})
    assert "llamacpp" in caught.value.hint


@pytest.mark.parametrize(
    ("given", "engine"),
    [
        ({}, "llamacpp"),
        ({"adapter": "runs/x"}, "torch"),
        ({"adapter": "x.gguf"}, "llamacpp"),
        ({"base_url": "http://127.0.0.1/v1"}, "remote"),
        ({"adapter": "runs/x", "engine": "llamacpp"}, "llamacpp"),
    ],
)
def test_what_a_command_was_given_tells_the_engine(given: dict[str, str], engine: str) -> None:
    found = chosen(**given)
    assert found.engine == engine
    assert found.model == Settings().model
    assert all(getattr(found, name) == value for name, value in given.items())


@pytest.mark.parametrize(
    ("engine", "address", "host"),
    [
        ("llamacpp", "https://api.example.org/v1", ""),
        ("remote", "https://api.example.org/v1", "api.example.org"),
        ("remote", "http://192.168.1.7:11434/v1", "192.168.1.7"),
        ("remote", "http://[fe80::1]/v1", "fe80::1"),
        ("remote", "http://127.0.0.1:11434/v1", ""),
        ("remote", "http://127.1.2.3/v1", ""),
        ("remote", "http://[::1]:80/v1", ""),
        ("remote", "http://localhost/v1", ""),
        ("remote", "http://localhost.example.org/v1", "localhost.example.org"),
        ("remote", "http://me@evil.org:pw@127.0.0.1/v1", ""),
        ("remote", "", ""),
    ],
)
def test_whether_prompts_leave_this_machine(engine: str, address: str, host: str) -> None:
    assert Settings(engine=engine, base_url=address).elsewhere == host
