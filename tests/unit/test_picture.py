from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pymupdf
import pytest
from PIL import Image, ImageChops

from mozi_engine.errors import PaperError, PasswordError
from mozi_engine.paper.picture import Drawing, Highlight, Pictures
from mozi_engine.types import Box

CANVAS = (300, 400)
WHOLE = (0, 0, *CANVAS)
PRINTED = Box(1, 60, 85, 200, 105)


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    return written(tmp_path / "pages.pdf")


@pytest.fixture
def pictures(pdf: Path) -> Iterator[Pictures]:
    drawn = Pictures(pdf)
    yield drawn
    drawn.close()


def written(path: Path, rotation: int = 0, **save: object) -> Path:
    document = pymupdf.open()
    for number in range(3):
        page = document.new_page(width=300, height=400)
        page.insert_text((60, 100), f"Words of page {number + 1}", fontsize=14)
        page.set_rotation(rotation)
    document.save(path, **save)
    return path


def seen(pictures: Pictures, drawing: Drawing) -> Image.Image:
    left, top, right, bottom = drawing.crop
    return Image.frombytes("RGB", (right - left, bottom - top), pictures.draw(drawing))


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def does(script: str) -> tuple[str, ...]:
    """A renderer that does as it is told instead of drawing."""
    return (sys.executable, "-c", f"import sys, time, os\nsys.stdin.readline()\n{script}")


def test_a_page_is_drawn_as_large_as_was_asked_and_keeps_its_shape(pictures: Pictures) -> None:
    assert pictures.sizes() == ((300, 400),) * 3
    small, large = (
        seen(pictures, Drawing(1, CANVAS, WHOLE)),
        seen(pictures, Drawing(1, (600, 900), (0, 0, 600, 900))),
    )
    ink = ImageChops.invert(small.convert("L")).getbbox()
    twice = ImageChops.invert(large.convert("L")).getbbox()
    assert ink
    assert twice == pytest.approx([2 * value for value in ink], abs=3)


def test_a_crop_is_a_part_of_the_whole(pictures: Pictures) -> None:
    whole, crop = seen(pictures, Drawing(1, CANVAS, WHOLE)), (50, 80, 170, 120)
    part = seen(pictures, Drawing(1, CANVAS, crop))
    difference = ImageChops.difference(part, whole.crop(crop))
    assert max(high for _, high in difference.getextrema()) < 40  # edges of type may fall between pixels


@pytest.mark.parametrize("rotation", [0, 90, 180])
def test_a_highlight_lies_over_the_words_and_leaves_the_rest(tmp_path: Path, rotation: int) -> None:
    path = written(tmp_path / "turned.pdf", rotation)
    with pymupdf.open(path) as document:
        page = document[0]
        page.remove_rotation()
        x0, y0, x1, y1 = page.get_text("words")[0][:4]
        canvas = (round(page.rect.width), round(page.rect.height))
    pictures = Pictures(path)
    plain = Drawing(1, canvas, (0, 0, *canvas))
    marks = (Highlight(Box(1, x0, y0, x1, y1), "mark"), Highlight(Box(2, 0, 0, 300, 400), "mark"))
    before = seen(pictures, plain)
    after = seen(pictures, Drawing(1, canvas, (0, 0, *canvas), marks))
    pictures.close()
    changed = ImageChops.difference(before, after).getbbox()
    assert changed == pytest.approx((x0 - 2, y0 - 2, x1 + 2, y1 + 2), abs=2)
    darkest, _ = after.crop(changed).convert("L").getextrema()
    assert darkest < 60  # the words are still there
    assert after.getpixel((changed[0] + 1, changed[1] + 1)) == (255, 233, 110)


def test_a_highlight_beyond_the_crop_changes_nothing(pictures: Pictures) -> None:
    crop = (0, 200, 300, 400)
    mark = (Highlight(PRINTED, "mark"),)
    assert pictures.draw(Drawing(1, CANVAS, crop, mark)) == pictures.draw(Drawing(1, CANVAS, crop))


def test_sixels_say_which_colour_follows(pictures: Pictures) -> None:
    sixels = pictures.draw(Drawing(1, CANVAS, WHOLE, (Highlight(PRINTED, "mark"),), "sixel")).decode("ascii")
    assert sixels.startswith("\x1bP")
    assert sixels.endswith("\x1b\\")
    defined = re.findall(r"#(\d+);2;\d+;\d+;\d+(#\d+)?", sixels)
    assert len(defined) > 3
    assert all(chosen == f"#{number}" for number, chosen in defined)


def test_a_renderer_that_was_killed_is_started_again(pictures: Pictures) -> None:
    drawing = Drawing(2, CANVAS, WHOLE)
    first = pictures.draw(drawing)
    assert pictures._process
    os.kill(pictures._process.pid, signal.SIGKILL)
    assert pictures.draw(drawing) == first


def test_a_page_that_crashes_the_renderer_each_time_is_given_up(pdf: Path) -> None:
    crashes = does("print('{\"sizes\": [[300, 400]]}', flush=True)\nsys.stdin.readline()\nos.abort()")
    with pytest.raises(PaperError, match="page 1 cannot be drawn") as caught:
        Pictures(pdf, command=crashes).draw(Drawing(1, CANVAS, WHOLE))
    assert caught.value.hint


def test_a_renderer_that_cannot_start_is_an_error(pdf: Path) -> None:
    with pytest.raises(PaperError, match="cannot be drawn"):
        Pictures(pdf, command=does("os.abort()")).sizes()


def test_half_a_picture_is_none(pdf: Path) -> None:
    half = "print('{\"sizes\": [[300, 400]]}', flush=True)\nsys.stdin.readline()\nprint('{\"bytes\": 999}', flush=True)"
    with pytest.raises(PaperError, match="page 1"):
        Pictures(pdf, command=does(half)).draw(Drawing(1, CANVAS, WHOLE))


def test_a_page_that_takes_too_long_is_given_up(pdf: Path) -> None:
    with pytest.raises(PaperError, match=r"more than 0\.3 s"):
        Pictures(pdf, seconds=0.3, command=does("time.sleep(60)")).sizes()


def test_too_little_memory_is_an_error_not_a_crash(pdf: Path) -> None:
    pictures = Pictures(pdf, gigabytes=0.4)
    with pytest.raises(PaperError, match="page 1 cannot be drawn"):
        pictures.draw(Drawing(1, (20000, 20000), (0, 0, 20000, 20000)))
    pictures.close()


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_password_is_needed(tmp_path: Path, password: str | None) -> None:
    path = written(
        tmp_path / "locked.pdf", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="sesame", owner_pw="o"
    )
    with pytest.raises(PasswordError):
        Pictures(path, password).sizes()
    pictures = Pictures(path, "sesame")
    assert pictures.draw(Drawing(3, CANVAS, WHOLE))
    pictures.close()


@pytest.mark.parametrize("content", [None, b"not a PDF"])
def test_a_file_that_is_gone_or_damaged_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "gone.pdf"
    if content:
        path.write_bytes(content)
    with pytest.raises(PaperError):
        Pictures(path).draw(Drawing(1, CANVAS, WHOLE))


def test_closing_ends_what_is_under_way(pdf: Path) -> None:
    pictures = Pictures(pdf, command=does("time.sleep(60)"))
    failed: list[PaperError] = []

    def size() -> None:
        try:
            pictures.sizes()
        except PaperError as error:
            failed.append(error)

    thread = threading.Thread(target=size)
    thread.start()
    while pictures._process is None:
        time.sleep(0.01)
    pictures.close()
    thread.join(10)
    assert failed
    with pytest.raises(PaperError, match="closed"):
        pictures.sizes()


def test_the_renderer_does_not_outlive_the_program(pdf: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from mozi_engine.paper.picture import Pictures\n"
        "pictures = Pictures(Path(sys.argv[1])); pictures.sizes(); print(pictures._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(pdf)], capture_output=True, text=True, check=False
    )
    end = time.monotonic() + 10
    while alive(int(ran.stdout)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(int(ran.stdout))
