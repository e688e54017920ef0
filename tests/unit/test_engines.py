import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.errors import ModelError
from mozi_engine.generation import engines
from mozi_engine.generation.engines import affordable
from mozi_engine.models import catalog, gguf


def _header(tmp_path: Path, **numbers: int) -> Path:
    entries = b""
    for key, value in numbers.items():
        name = f"tiny.{key.replace('__', '.')}".encode()
        entries += struct.pack("<Q", len(name)) + name + struct.pack("<II", 4, value)
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(numbers)) + entries)
    return path


def test_a_state_takes_keys_and_values_of_every_layer_in_two_bytes_each(tmp_path: Path) -> None:
    path = _header(
        tmp_path,
        block_count=28,
        embedding_length=1536,
        attention__head_count=12,
        attention__head_count_kv=2,
        context_length=32768,
    )
    assert gguf.state_bytes(path) == 2 * 28 * 2 * (128 + 128)  # Qwen2.5 1.5B
    assert gguf.context_length(path) == 32768


def test_heads_of_their_own_length_are_counted(tmp_path: Path) -> None:
    path = _header(
        tmp_path,
        block_count=2,
        attention__head_count=4,
        attention__key_length=256,
        attention__value_length=128,
    )
    assert gguf.state_bytes(path) == 2 * 2 * 4 * (256 + 128)


def test_a_header_that_does_not_tell_counts_nothing(tmp_path: Path) -> None:
    assert gguf.state_bytes(_header(tmp_path, context_length=10)) == 0


@given(st.integers(1, 200_000), st.integers(0, 10**6), st.integers(-(10**9), 10**12))
def test_the_context_fits_the_memory_or_is_refused(context: int, token: int, free: int) -> None:
    if token * min(context, 2048) > max(free, 0):
        with pytest.raises(ModelError, match="more memory"):
            affordable(context, token, free)
    else:
        tokens = affordable(context, token, free)
        assert 0 < tokens <= context
        assert tokens * token <= max(free, 0)


def test_model_files_of_one_name_are_told_apart_though_none_was_hashed(tmp_path: Path) -> None:
    digests = set()
    for folder, content in (("a", b"GGUF one"), ("b", b"GGUF one"), ("a", b"GGUF another")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "model.gguf").write_bytes(content)
        digests.add(engines.digest(catalog.find(str(tmp_path / folder / "model.gguf"))))
    assert len(digests) == 3
    assert engines.digest(spec := catalog.find("qwen3-4b")) == spec.sha256


def test_what_a_model_is_built_like(tmp_path: Path) -> None:
    path = _header(tmp_path, block_count=2, attention__head_count=4, attention__head_count_kv=2)
    assert gguf.shape(path) == gguf.Shape("", 2, 4, 2)
    path = _header(tmp_path, block_count=2, attention__head_count=4)
    assert gguf.shape(path).key_heads == 4
