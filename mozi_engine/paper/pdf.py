"""PDF -> Paper, in a process of its own. PyMuPDF is imported here and in `rendering`, nowhere else.

Run as `python -P -m mozi_engine.paper.pdf`. It reads one request (a line of JSON) on its standard input
and answers in lines of JSON on its standard output:

    {"opened": pages, "scans": how many will be read by OCR, "private": whether a password was needed}
    {"text": Paper}                  the words in a first order, at once (unless all pages are scans)
    {"page": n, "of": pages}         the layout of so many pages is known
    {"layout": Paper | null}         the paper as it is; null: as `text` had it
    {"error": message, "hint": …, "password": …}
    {"crash": what PyMuPDF or the memory limit raised}

It ends when its standard input does, so that it never outlives the process that started it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TextIO

# PyMuPDF imports its layout analysis when it is itself imported: 0.6 of 0.9 s, and the text needs none
# of it. None in sys.modules makes that import fail, which PyMuPDF allows for; `_layout` takes it back.
sys.modules["pymupdf.layout"] = None  # type: ignore[assignment]
import pymupdf  # noqa: E402

from mozi_engine.errors import PaperError, PasswordError  # noqa: E402
from mozi_engine.paper import codec  # noqa: E402
from mozi_engine.paper.assembling import assemble  # noqa: E402
from mozi_engine.paper.opening import ocr_installed  # noqa: E402
from mozi_engine.paper.page import (  # noqa: E402
    Line,
    PageText,
    Printed,
    Role,
    clean,
    garbled,
    has_cjk,
    is_cjk,
    spell,
)
from mozi_engine.paper.regions import LayoutBox, body_size, by_blocks, by_layout  # noqa: E402
from mozi_engine.types import Box, Paper  # noqa: E402

# Layout takes a third to half a second a page: a thesis would be minutes. Its text in blocks will do.
LAYOUT_PAGES = 100
OCR_DPI = 150
_FLAGS = pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_MEDIABOX_CLIP | pymupdf.TEXT_CID_FOR_UNKNOWN_UNICODE
_BOLD = 16
_ROLES: dict[str, Role] = {
    "title": "title",
    "section-header": "heading",
    "text": "text",
    "list-item": "list",
    "table": "table",
    "caption": "caption",
    "picture": "picture",
    "formula": "equation",
    "footnote": "footnote",
    "page-header": "margin",
    "page-footer": "margin",
}


def read(path: Path, identity: str, password: str | None) -> Iterator[dict[str, Any]]:
    """The messages that this module's docstring names. Raises PaperError."""
    document, private = open_document(path, password)
    pages = [page_text(document[number]) for number in range(len(document))]
    scans = [page.number for page in pages if page.garbled or (page.image and not page.lines)]
    ocr = ocr_installed()
    yield {"opened": len(pages), "scans": len(scans) if ocr else 0, "private": private}
    _check(pages, scans, ocr)
    text = assemble(identity, by_blocks(pages), () if ocr else scans)
    if any(page.lines for page in pages):
        yield {"text": codec.encode(text)}
    if ocr and scans:
        _recognise(document, scans)
        pages = [page_text(document[page.number - 1]) if page.number in scans else page for page in pages]
        _check(pages, [], ocr)
    if len(pages) > LAYOUT_PAGES:
        recognised = assemble(identity, by_blocks(pages)) if ocr and scans else None
        yield {"layout": codec.encode(recognised) if recognised else None}
        return
    yield from _laid_out(document, pages, text)


def _laid_out(document: Any, pages: list[PageText], text: Paper) -> Iterator[dict[str, Any]]:
    sys.modules.pop("pymupdf.layout", None)
    import pymupdf.layout

    pymupdf.layout.activate()
    regions, body = [], body_size(pages)
    for page in pages:
        yield {"page": page.number - 1, "of": len(pages)}
        regions.append(by_layout(page, _layout(document[page.number - 1]), body))
    paper = assemble(text.id, regions, text.scanned)
    yield {"page": len(pages), "of": len(pages)}
    yield {"layout": codec.encode(paper)}


def open_document(path: Path, password: str | None) -> tuple[Any, bool]:
    """PyMuPDF's document, and whether it needed the password. Raises PaperError."""
    try:
        document = pymupdf.open(path, filetype="pdf")
        locked = bool(document.needs_pass)
        if locked and not (password is not None and document.authenticate(password)):
            raise _locked(path, password)
        if not len(document):
            raise PaperError(f"{path.name} has no pages", "the file may be damaged: fetch it again")
    except (pymupdf.FileDataError, RuntimeError, ValueError) as error:
        raise PaperError(f"{path.name} is damaged and cannot be read", "fetch the file again") from error
    return document, locked


def _locked(path: Path, password: str | None) -> PasswordError:
    if password is None:
        return PasswordError(f"{path.name} needs a password", "--password, or MOZI_PDF_PASSWORD")
    return PasswordError(f"the password does not open {path.name}", "check it, and give it again")


def _check(pages: list[PageText], scans: list[int], ocr: bool) -> None:
    if any(page.lines for page in pages) or (scans and ocr):
        return
    if scans:
        found = f"{spell(scans)} {'is a scan' if len(scans) == 1 else 'are scans'}"
        raise PaperError(
            f"{found}, and no page holds text", "pip install 'rapidocr>=3.9' lets mozi read them"
        )
    raise PaperError("there is no text in this PDF", "nothing can be asked of it")


def page_text(page: Any) -> PageText:
    """The page's lines in the file's order, upright as a reader sees them."""
    page.remove_rotation()
    # Boxes as tall as the type, not as the line: what is drawn must not touch the lines above and below.
    pymupdf.TOOLS.set_small_glyph_heights(True)
    number = page.number + 1
    textpage = page.get_textpage(flags=_FLAGS)
    blocks = textpage.extractDICT()["blocks"]
    words = textpage.extractWORDS()
    spaced = not any(has_cjk(word[4]) for word in words)
    lines = (
        _spaced(blocks, words, number) if spaced else _characters(textpage.extractRAWDICT()["blocks"], number)
    )
    pymupdf.TOOLS.set_small_glyph_heights(False)
    unknown = garbled(textpage.extractText())
    readable = () if unknown else tuple(lines)
    return PageText(number, page.rect.width, page.rect.height, readable, bool(page.get_images()), unknown)


def _spaced(blocks: list[Any], words: list[Any], page: int) -> Iterator[Line]:
    styles = {
        (b["number"], n): max(line["spans"], key=lambda span: len(span["text"]))
        for b in blocks
        for n, line in enumerate(b["lines"])
        if line["spans"]
    }
    lines: dict[tuple[int, int], list[Printed]] = {}
    for x0, y0, x1, y1, text, block, line, _ in words:
        if text := clean(text):
            lines.setdefault((block, line), []).append(Printed(text, Box(page, x0, y0, x1, y1)))
    for key, printed in lines.items():
        style = styles.get(key)
        size, bold = (style["size"], _bold(style)) if style else (10.0, False)
        yield Line(tuple(printed), size, bold, key[0])


def _bold(span: Any) -> bool:
    return bool(span["flags"] & _BOLD) or "bold" in span["font"].lower()


def _characters(blocks: list[Any], page: int) -> Iterator[Line]:
    """Lines of a script without spaces: one character a word, Latin words in one piece."""
    for block in blocks:
        for line in block["lines"]:
            words = tuple(_split(line["spans"], page))
            if words:
                widest = max(line["spans"], key=lambda span: len(span["chars"]))
                yield Line(words, widest["size"], _bold(widest), block["number"])


def _split(spans: list[Any], page: int) -> Iterator[Printed]:
    text, box, glued, spaced = "", None, True, True
    for char in (char for span in spans for char in span["chars"]):
        c = clean(char["c"])
        alone = not c or c.isspace() or is_cjk(c)
        if box and (alone or is_cjk(text[-1:])):
            yield Printed(text, box, glued)
            text, box, spaced = "", None, False
        if not c or c.isspace():
            spaced = spaced or char["c"].isspace()
            continue
        x0, y0, x1, y1 = char["bbox"]
        if box is None:
            text, box, glued = c, Box(page, x0, y0, x1, y1), not spaced
        else:
            text, box = text + c, Box(page, box.x0, min(box.y0, y0), x1, max(box.y1, y1))
        spaced = False
    if box:
        yield Printed(text, box, glued)


def _layout(page: Any) -> list[LayoutBox]:
    page.get_layout(return_raw=True)
    return [_layout_box(found, page.number + 1) for found in page.layout_information or ()]


def _layout_box(found: Any, page: int) -> LayoutBox:
    places = found["bboxes"]
    cells = tuple(
        (cell.row, cell.col, Box(page, *places[cell.bbox_idx])) for cell in found.get("table_cells") or ()
    )
    return LayoutBox(_ROLES.get(found["class_name"], "text"), Box(page, *found["group_bbox"]), cells)


def _recognise(document: Any, scans: list[int]) -> None:
    """Write what OCR reads into the pages, where every later step finds it as text."""
    from pymupdf4llm.ocr import rapidocr_api

    for number in scans:
        page = document[number - 1]
        if page.get_text().strip():
            page = _pictured(document, page)
        rapidocr_api.exec_ocr(page, dpi=OCR_DPI)


def _pictured(document: Any, page: Any) -> Any:
    """The page put in its own place as a picture: OCR leaves alone what it takes for text."""
    number, size, picture = page.number, page.rect, page.get_pixmap(dpi=OCR_DPI)
    document.delete_page(number)
    page = document.new_page(number, size.width, size.height)
    page.insert_image(page.rect, pixmap=picture)
    return page


def limit(gigabytes: float) -> None:
    """Let this process have no more memory, where the system can see to that."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    size, hard = int(gigabytes * 2**30), resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard != resource.RLIM_INFINITY:  # the shell's own limit may be lower, and cannot be raised
        size = min(size, hard)
    with suppress(ValueError, OSError):  # macOS does not take it
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def own_output() -> TextIO:
    """The pipe to the parent, taken from under PyMuPDF and RapidOCR, which print to standard output."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return pipe


def _end_with(stdin: IO[str]) -> None:
    stdin.read()
    os._exit(1)


def main() -> None:
    """Answer one request; see the module's docstring."""
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with, args=(sys.stdin,), daemon=True).start()
    limit(request["gigabytes"])
    pipe = own_output()
    for message in _answers(request):
        print(json.dumps(message), file=pipe, flush=True)
    os._exit(0)  # without waiting for the thread that reads standard input


def _answers(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    try:
        yield from read(Path(request["path"]), request["id"], request["password"])
    except PaperError as error:
        locked = isinstance(error, PasswordError)
        yield {"error": error.message, "hint": error.hint, "password": locked}
    except Exception as error:  # noqa: BLE001  (the edge of the process: the parent names it)
        yield {"crash": type(error).__name__}


if __name__ == "__main__":
    main()
