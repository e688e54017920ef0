"""Opening a PDF: limits, errors, and the cache. What is inside a paper is tested with the papers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pymupdf
import pytest

from mozi_engine import files
from mozi_engine.errors import PaperError, PasswordError
from mozi_engine.paper import codec, opening
from mozi_engine.paper.opening import LayoutProgress, LayoutRead, TextRead, read, read_all
from mozi_engine.types import Paper

PLAIN = "A short page of text that anyone can read."


def pdf(path: Path, pages: int = 1, text: str = PLAIN, **save: object) -> Path:
    document = pymupdf.open()
    for number in range(pages):
        page = document.new_page()
        if text:
            page.insert_text((72, 200), f"{text} Page {number + 1}.")
    document.save(path, **save)
    return path


def child(script: str) -> tuple[str, ...]:
    """A reader that does as it is told instead of reading."""
    return (sys.executable, "-c", f"import json, sys, time, os\nsys.stdin.readline()\n{script}")


def speaks(paper: Paper) -> tuple[str, ...]:
    """A reader that has this paper ready."""
    opened = {"opened": paper.pages, "scans": 0, "private": False}
    messages = [opened, {"text": codec.encode(paper)}, {"page": 1, "of": 1}, {"layout": None}]
    return child(f"print({chr(10).join(json.dumps(m) for m in messages)!r}, flush=True)")


def known(path: Path, title: str = "A title") -> Paper:
    """A paper that is said to be what the file holds."""
    return Paper(files.sha256(path), title, (), (), 1)


def fails(path: Path, **arguments: object) -> PaperError:
    with pytest.raises(PaperError) as caught:
        list(read(path, **arguments))  # type: ignore[arg-type]
    assert caught.value.hint
    return caught.value


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_text_comes_first_then_progress_then_the_layout(tmp_path: Path) -> None:
    events = list(read(pdf(tmp_path / "a.pdf", pages=2)))
    assert isinstance(events[0], TextRead)
    assert events[1:-1] == [LayoutProgress(0, 2), LayoutProgress(1, 2), LayoutProgress(2, 2)]
    assert isinstance(events[-1], LayoutRead)
    assert events[-1].paper.pages == 2
    assert PLAIN in "".join(p.text for s in events[-1].paper.sections for p in s.paragraphs)


def test_the_second_opening_comes_from_the_cache(tmp_path: Path) -> None:
    path = pdf(tmp_path / "a.pdf")
    paper = known(path)
    first = list(read(path, command=speaks(paper)))
    assert first == [TextRead(paper), LayoutProgress(1, 1), LayoutRead(paper)]
    assert list(read(path, command=child("sys.exit(1)"))) == [LayoutRead(paper)]


@pytest.mark.parametrize("damage", [b"", b"{}", b"\x00\xff", b'{"version":1,"id":"other"'])
def test_a_damaged_cache_entry_is_read_again(tmp_path: Path, damage: bytes) -> None:
    path = pdf(tmp_path / "a.pdf")
    paper = known(path)
    cached = opening.cache_file(paper.id)
    cached.parent.mkdir(parents=True)
    cached.write_bytes(damage)
    assert list(read(path, command=speaks(paper)))[-1] == LayoutRead(paper)
    assert codec.decode(cached.read_bytes()) == paper


def test_an_entry_of_another_paper_is_not_believed(tmp_path: Path) -> None:
    one, two = pdf(tmp_path / "a.pdf"), pdf(tmp_path / "b.pdf", text="Other text.")
    cached = opening.cache_file(known(one).id)
    cached.parent.mkdir(parents=True)
    cached.write_text(codec.encode(known(two)))
    assert list(read(one, command=speaks(known(one))))[-1] == LayoutRead(known(one))


def test_a_cache_that_cannot_be_written_does_not_stop_reading(tmp_path: Path, home: Path) -> None:
    home.mkdir()
    (home / "cache").write_text("a file where a folder should be")
    path = pdf(tmp_path / "a.pdf")
    assert list(read(path, command=speaks(known(path))))[-1] == LayoutRead(known(path))


def test_no_such_file(tmp_path: Path) -> None:
    assert "no such file" in fails(tmp_path / "none.pdf").message


@pytest.mark.parametrize("name", ["a" * 300, "a.pdf/b.pdf"])
def test_a_name_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    pdf(tmp_path / "a.pdf")
    fails(tmp_path / name)


@pytest.mark.skipif(sys.platform == "win32", reason="no such pipes")
def test_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe" in fails(tmp_path / "pipe").message


def test_a_directory(tmp_path: Path) -> None:
    assert "is a directory" in fails(tmp_path).message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"<html>Not found</html>", "is not a PDF"),
        (b"%PDF-1.5\n", "damaged|no pages"),
        (b"%PDF-1.5\n" + bytes(range(256)) * 40, "damaged|no pages"),
    ],
)
def test_what_is_not_a_whole_pdf(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(content)
    assert any(word in fails(path).message for word in says.split("|"))


def test_a_truncated_pdf(tmp_path: Path, example: Path) -> None:
    path = tmp_path / "cut.pdf"
    path.write_bytes(example.read_bytes()[:3000])
    fails(path)


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    encryption = pymupdf.PDF_ENCRYPT_AES_256
    return pdf(tmp_path / "locked.pdf", encryption=encryption, user_pw="sesame", owner_pw="owner")


def test_a_password_is_asked_for_and_a_wrong_one_named(locked: Path) -> None:
    missing, wrong = fails(locked), fails(locked, password="guess")
    assert isinstance(missing, PasswordError)
    assert "needs a password" in missing.message
    assert isinstance(wrong, PasswordError)
    assert "does not open" in wrong.message


def test_what_a_password_protects_is_not_left_in_the_cache(locked: Path) -> None:
    assert read_all(locked, password="sesame").pages == 1
    assert "needs a password" in fails(locked).message


def test_a_pdf_whose_password_is_empty_just_opens(tmp_path: Path) -> None:
    encryption = pymupdf.PDF_ENCRYPT_AES_256
    assert read_all(pdf(tmp_path / "a.pdf", encryption=encryption, user_pw="", owner_pw="owner")).pages == 1


def test_a_pdf_without_text(tmp_path: Path) -> None:
    assert "no text" in fails(pdf(tmp_path / "a.pdf", text="")).message


def test_a_thousand_pages_are_read_without_layout(tmp_path: Path) -> None:
    events = list(read(pdf(tmp_path / "a.pdf", pages=1000)))
    assert [type(event) for event in events] == [TextRead, LayoutRead]
    assert read_all(tmp_path / "a.pdf").pages == 1000


def test_a_reader_that_hangs_is_stopped_and_the_limit_named(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"open({str(pid)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    error = fails(pdf(tmp_path / "a.pdf"), seconds=1, command=child(script))
    assert error.message == "reading stopped: it took more than 1 s (pdf_seconds in settings.toml)"
    assert not alive(int(pid.read_text()))


def test_every_page_adds_a_second_to_the_limit(tmp_path: Path) -> None:
    script = """print(json.dumps({"opened": 2, "scans": 0, "private": False}), flush=True)\ntime.sleep(60)"""
    assert "more than 2.5 s" in fails(pdf(tmp_path / "a.pdf"), seconds=0.5, command=child(script)).message


@pytest.mark.parametrize(
    "script", ["os.abort()", "sys.exit(3)", "print(json.dumps({'crash': 'MemoryError'}))"]
)
def test_a_reader_that_crashes_is_an_error_that_names_the_memory_limit(tmp_path: Path, script: str) -> None:
    error = fails(pdf(tmp_path / "a.pdf"), gigabytes=2, command=child(script))
    assert "needs more than 2 GB of memory (pdf_gigabytes in settings.toml)" in error.message


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux")
def test_the_memory_limit_holds(example: Path) -> None:
    assert "pdf_gigabytes" in fails(example, gigabytes=0.4).message


def test_a_reader_that_is_killed_in_the_middle_of_a_line_is_one_that_crashes(tmp_path: Path) -> None:
    script = """sys.stdout.write('{"text": "hal'); sys.stdout.flush(); os.kill(os.getpid(), 9)"""
    assert "signal 9" in fails(pdf(tmp_path / "a.pdf"), command=child(script)).message


@pytest.mark.skipif(sys.platform != "linux", reason="others take no such limit")
def test_a_lower_limit_of_the_shells_is_no_failure(tmp_path: Path) -> None:
    path = pdf(tmp_path / "a.pdf")
    script = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({5 * 10**9}, {5 * 10**9}))"
    read_it = f"from mozi_engine.paper import opening as o; next(o.read(o.Path({str(path)!r}), gigabytes=9))"
    assert subprocess.run([sys.executable, "-c", f"{script}; {read_it}"], check=False).returncode == 0


def test_a_file_that_is_written_anew_while_it_is_read_is_not_cached_under_the_old_name(
    tmp_path: Path,
) -> None:
    path = pdf(tmp_path / "a.pdf")
    paper = known(path)
    events = read(path, command=speaks(paper))
    next(events)
    pdf(path, text="Another edition.")
    assert list(events)[-1] == LayoutRead(paper)
    assert not opening.cache_file(paper.id).exists()


def test_closing_the_iterator_ends_the_child(tmp_path: Path, example: Path) -> None:
    pid = tmp_path / "pid"
    text = json.dumps({"text": codec.encode(known(example))})
    script = f"open({str(pid)!r}, 'w').write(str(os.getpid()))\nprint({text!r}, flush=True)\ntime.sleep(60)"
    events: Iterator[object] = read(example, command=child(script))
    assert isinstance(next(events), TextRead)
    events.close()  # type: ignore[attr-defined]
    assert not alive(int(pid.read_text()))


def test_the_reader_does_not_outlive_its_parent(example: Path) -> None:
    with subprocess.Popen(opening.READER, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdin
        request = {"path": str(example), "id": "x", "password": None, "gigabytes": 4}
        reader.stdin.write(json.dumps(request).encode() + b"\n")
        reader.stdin.close()
        started = time.monotonic()
        reader.stdout.read()  # type: ignore[union-attr]
        assert reader.wait() == 1
    assert time.monotonic() - started < 60


def test_nothing_is_imported_from_the_folder_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pdf(tmp_path / "a.pdf")
    (tmp_path / "pymupdf.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    assert isinstance(next(read(path)), TextRead)


def test_the_parent_imports_neither_pymupdf_nor_numpy() -> None:
    script = (
        "import sys, mozi_engine.paper.opening, mozi_engine.paper.passages, mozi_engine.paper.source\n"
        "print([m for m in ('pymupdf', 'numpy', 'httpx', 'onnxruntime') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
