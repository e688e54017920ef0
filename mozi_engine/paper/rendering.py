"""Pages of a PDF as pictures, in a process of its own, which keeps the document open.

Run as `python -P -m mozi_engine.paper.rendering`. It reads requests (lines of JSON) on its standard input
and answers each on its standard output. The first opens the document:

    {"path": …, "password": … | null, "gigabytes": …}
    -> {"sizes": [[width, height], …]}      of every page, in points
    -> {"error": message, "hint": …, "password": …}

the others draw a page on a canvas of so many pixels, white where the page does not reach:

    {"page": n, "canvas": [width, height], "crop": [x0, y0, x1, y1],          in pixels
     "highlights": [[kind, x0, y0, x1, y1], …],                               in points
     "form": "rgb" | "sixel"}
    -> {"bytes": n}, and after that line so many bytes: three a pixel, or the sixel sequence
    -> {"crash": what PyMuPDF, Pillow or the memory limit raised}

It ends when its standard input does, so that it never outlives the process that started it.
"""

from __future__ import annotations

import json
import os
import queue
import re
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from PIL import Image, ImageChops, ImageDraw

from mozi_engine.errors import PaperError, PasswordError
from mozi_engine.paper.pdf import limit, open_document, own_output  # keeps layout analysis out of PyMuPDF

import pymupdf  # isort: skip

_COLOURS = {"mark": (255, 233, 110), "match": (190, 220, 255), "current": (255, 178, 102)}
_SHADE = 0.6  # how dark a highlight's outline is, against its colour
_SIXEL_COLOURS = 12  # grey levels of type, and the highlights; photographs need more
_PHOTOGRAPH = 256
_DEFINITION = re.compile(r"#(\d+);2;\d+;\d+;\d+")


def page_sizes(document: Any) -> list[tuple[float, float]]:
    """Width and height of every page as a reader sees it, in points."""
    return [(page.rect.width, page.rect.height) for page in document]


def draw(document: Any, request: dict[str, Any]) -> Image.Image:
    """The cropped picture that the request asks for."""
    page = document[request["page"] - 1]
    page.remove_rotation()  # as `pdf` does: boxes are those of the upright page
    width, height = request["canvas"]
    scale = min(width / page.rect.width, height / page.rect.height)
    crop, matrix = request["crop"], pymupdf.Matrix(scale, scale)
    drawn = page.get_pixmap(matrix=matrix, clip=[value / scale for value in crop], alpha=False)
    picture = Image.new("RGB", (crop[2] - crop[0], crop[3] - crop[1]), "white")
    printed = Image.frombytes("RGB", (drawn.width, drawn.height), drawn.samples)
    picture.paste(printed, (0, 0))
    for kind, *box in request["highlights"]:
        corners = [round(value * scale) - crop[at % 2] for at, value in enumerate(box)]
        _highlight(picture, corners, _COLOURS[kind])
    return picture


def _highlight(picture: Image.Image, corners: Sequence[int], colour: tuple[int, int, int]) -> None:
    """Lay the colour over the print, as a marker pen does, with an outline: colour is not the only sign."""
    x0, y0 = max(corners[0] - 2, 0), max(corners[1] - 2, 0)
    x1, y1 = min(corners[2] + 2, picture.width), min(corners[3] + 2, picture.height)
    if x0 >= x1 or y0 >= y1:
        return
    printed = picture.crop((x0, y0, x1, y1))
    picture.paste(ImageChops.multiply(printed, Image.new("RGB", printed.size, colour)), (x0, y0))
    shade = tuple(round(value * _SHADE) for value in colour)
    ImageDraw.Draw(picture).rectangle((x0, y0, x1 - 1, y1 - 1), outline=shade)


def sixels(picture: Image.Image) -> bytes:
    """The picture as a sixel sequence, in as few colours as it can do with: each costs time."""
    # Encoding takes a third of a second and holds the interpreter all the while: here that delays nobody.
    from textual_image._sixel import SixelOptions, image_to_sixels

    plain = picture.getcolors(_PHOTOGRAPH) is not None
    options = SixelOptions(colors=_SIXEL_COLOURS if plain else _PHOTOGRAPH)
    # A colour's definition also chooses it for what follows; not in xterm, which has to be told.
    return _DEFINITION.sub(r"\g<0>#\1", image_to_sixels(picture, options)).encode("ascii")


def _opened(request: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    try:
        document, _ = open_document(Path(request["path"]), request["password"])
        return document, {"sizes": page_sizes(document)}
    except PaperError as error:
        locked = isinstance(error, PasswordError)
        return None, {"error": error.message, "hint": error.hint, "password": locked}


def _drawn(document: Any, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    try:
        picture = draw(document, request)
        pixels = sixels(picture) if request["form"] == "sixel" else picture.tobytes()
    except Exception as error:  # noqa: BLE001  (the edge of the process: the parent names it)
        return {"crash": type(error).__name__}, b""
    return {"bytes": len(pixels)}, pixels


def _listen(stdin: TextIO, requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in stdin:
        requests.put(json.loads(line))
    os._exit(0)


def _say(pipe: TextIO, message: dict[str, Any], pixels: bytes = b"") -> None:
    pipe.buffer.write(json.dumps(message).encode() + b"\n" + pixels)
    pipe.buffer.flush()


def main() -> None:
    """Answer requests; see the module's docstring."""
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, requests), daemon=True).start()
    request = requests.get()
    limit(request["gigabytes"])
    pipe = own_output()
    document, answer = _opened(request)
    _say(pipe, answer)
    while document is not None:
        _say(pipe, *_drawn(document, requests.get()))


if __name__ == "__main__":
    main()
