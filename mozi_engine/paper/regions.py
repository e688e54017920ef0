"""A page cut into regions: by the boxes of a layout analysis, or by the file's own blocks."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mozi_engine.paper.order import reading_order
from mozi_engine.paper.page import Line, PageText, Printed, Region, Role, hull, straighten
from mozi_engine.types import Box

CAPTION = re.compile(r"(?:fig(?:ure|\.)?|table|tab\.|algorithm|listing|图|表|図)\s*[A-Z]?\d+", re.IGNORECASE)
_FIRST_HEADING = re.compile(r"abstract|summary|摘|introduction|[1I]\.?\s", re.IGNORECASE)
_FOOTNOTE = re.compile(r"(?:\d{1,2}|[*†‡§¶∗])\s*\D")
_CAPTION_HEAD = re.compile(
    r"(?:fig(?:ure|\.)?|table|tab\.|algorithm)\s*[A-Z]?\d+(?:\.\d+)*\s*[:.|]\s|[图表図]\s*\d+(?:[.-]\d+)*\s",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"\d{1,2}(?:\.\d{1,2})+\s+\S")
_LEADERS = re.compile(r"(?:[.·⋅…․]\s?){5,}")
_FIGURE = re.compile(r"[-+−±]?\d[\d.,]*%?")
_DIGITS = re.compile(r"\d+")
_NEAR = 4.0  # points that a word may stand outside the box it belongs to
_MARGIN = 0.09  # of the page's height, above and below, where running heads stand


@dataclass(frozen=True, slots=True)
class LayoutBox:
    """One box of the layout analysis. `cells` are a table's: (row, column, where it is printed)."""

    role: Role
    box: Box
    cells: tuple[tuple[int, int, Box], ...] = ()


def by_layout(page: PageText, boxes: Sequence[LayoutBox], body: float) -> list[Region]:
    """The page's words put into the boxes, in reading order; words outside every box keep their block.

    `body` is the type size of the running text, in points: it tells footnotes and headings from it.
    """
    boxes = [box for box in boxes if not _swallows(page, box)]
    inside, outside = _sorted_into(page.lines, [box.box for box in boxes])
    regions = [
        Region(box.role, hull(line.box for line in inside[i]), straighten(inside[i]), _rows(box, inside[i]))
        for i, box in enumerate(boxes)
        if inside[i]
    ]
    regions += [_outside(page, lines) for lines in _blocks(outside)]
    corrected: list[Region] = []
    for region in _ordered(regions):
        corrected.append(_corrected(page, region, body, corrected[-1] if corrected else None))
    return corrected


def by_blocks(pages: Sequence[PageText]) -> list[list[Region]]:
    """A first cut of every page by simple cues: type size, weight, place, and how a block begins."""
    body = body_size(pages)
    running = _running(pages)
    largest = max((line.size for page in pages[:1] for line in page.lines), default=0.0)
    cut = [
        _ordered([_region(page, block, body, largest, running) for block in _blocks(page.lines)])
        for page in pages
    ]
    return [_without_author_headings(cut[0]), *cut[1:]] if cut else []


def _without_author_headings(page: list[Region]) -> list[Region]:
    """Authors are often set in bold; on a first page, headings begin with the abstract or a number."""
    first = next((i for i, r in enumerate(page) if r.role == "heading" and _FIRST_HEADING.match(r.text)), 0)
    return [
        replace(region, role="text") if i < first and region.role == "heading" else region
        for i, region in enumerate(page)
    ]


def body_size(pages: Sequence[PageText]) -> float:
    """The type size, in points, that most of the text is set in."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            sizes[round(line.size, 1)] += len(line.words)
    return sizes.most_common(1)[0][0] if sizes else 10.0


def _corrected(page: PageText, region: Region, body: float, above: Region | None) -> Region:
    """The analysis, with what it is often wrong about set right by what the words say."""
    text = region.text
    if sum(1 for line in region.lines if _LEADERS.search(line.text)) * 2 > len(region.lines):
        return replace(region, role="margin")
    if region.role == "margin" and _in_the_middle(page, region.box):
        return replace(region, role="text")
    if region.role not in ("text", "list", "heading"):
        return region
    if _CAPTION_HEAD.match(text):
        return replace(region, role="caption")
    if region.role != "heading" and len(region.lines) == 1 and _NUMBERED.match(text):
        heavy = region.lines[0].bold or region.size > 1.05 * body
        return replace(region, role="heading") if heavy else region
    small = region.size < 0.92 * body and region.box.y0 > 0.6 * page.height
    noted = _FOOTNOTE.match(text) or (above is not None and above.role == "footnote")
    return replace(region, role="footnote") if small and noted else region


def _in_the_middle(page: PageText, box: Box) -> bool:
    """Where no running head stands; a stamp along the side of the page may."""
    lying = box.x1 - box.x0 > box.y1 - box.y0
    return lying and 0.15 * page.height < box.y0 and box.y1 < 0.85 * page.height


def _ordered(regions: list[Region]) -> list[Region]:
    return [regions[i] for i in reading_order([region.box for region in regions])]


def _swallows(page: PageText, box: LayoutBox) -> bool:
    area = (box.box.x1 - box.box.x0) * (box.box.y1 - box.box.y0)
    return box.role == "picture" and area > 0.6 * page.width * page.height


def _sorted_into(lines: Sequence[Line], boxes: Sequence[Box]) -> tuple[dict[int, list[Line]], list[Line]]:
    inside: defaultdict[int, list[Line]] = defaultdict(list)
    outside: list[Line] = []
    for line in lines:
        homes = [_home(word.box, boxes) for word in line.words]
        for home in dict.fromkeys(homes):
            words = tuple(w for w, at in zip(line.words, homes, strict=True) if at == home)
            part = Line(words, line.size, line.bold, line.block)
            (outside if home is None else inside[home]).append(part)
    return inside, outside


def _home(word: Box, boxes: Sequence[Box]) -> int | None:
    x, y = (word.x0 + word.x1) / 2, (word.y0 + word.y1) / 2
    holding = [
        (_distance(x, y, box), (box.x1 - box.x0) * (box.y1 - box.y0), i) for i, box in enumerate(boxes)
    ]
    near = [candidate for candidate in holding if candidate[0] <= _NEAR]
    return min(near)[2] if near else None


def _distance(x: float, y: float, box: Box) -> float:
    return max(box.x0 - x, x - box.x1, box.y0 - y, y - box.y1, 0.0)


def _rows(layout: LayoutBox, lines: Sequence[Line]) -> tuple[tuple[tuple[Printed, ...], ...], ...]:
    if layout.role != "table":
        return ()
    if not layout.cells:
        return tuple(_gapped(line.words) for line in straighten(lines))
    words = [word for line in straighten(lines) for word in line.words]
    places = [box for _, _, box in layout.cells]
    cells: defaultdict[tuple[int, int], list[Printed]] = defaultdict(list)
    for word in words:
        home = _nearest(word.box, places)
        cells[layout.cells[home][:2]].append(word)
    rows: defaultdict[int, list[tuple[Printed, ...]]] = defaultdict(list)
    for row, column in sorted(cells):
        rows[row] += _gapped(cells[row, column])
    return tuple(tuple(rows[row]) for row in sorted(rows))


def _nearest(word: Box, boxes: Sequence[Box]) -> int:
    x, y = (word.x0 + word.x1) / 2, (word.y0 + word.y1) / 2
    return min(range(len(boxes)), key=lambda i: _distance(x, y, boxes[i]))


def _gapped(words: Sequence[Printed]) -> tuple[tuple[Printed, ...], ...]:
    """Words of one row, cut between figures and where the white between two is wider than a space ever is."""
    cells: list[list[Printed]] = []
    for word in words:
        if cells and not _apart(cells[-1][-1], word):
            cells[-1].append(word)
        else:
            cells.append([word])
    return tuple(tuple(cell) for cell in cells)


def _apart(left: Printed, right: Printed) -> bool:
    height = right.box.y1 - right.box.y0
    same_line = right.box.y0 < left.box.y1 - 0.3 * height
    numbers = _FIGURE.fullmatch(left.text) and _FIGURE.fullmatch(right.text)
    return same_line and (bool(numbers) or right.box.x0 - left.box.x1 > 0.5 * height)


def _blocks(lines: Sequence[Line]) -> list[list[Line]]:
    blocks: list[list[Line]] = []
    for line in lines:
        if blocks and blocks[-1][-1].block == line.block and not _begins(blocks[-1], line):
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return blocks


def _begins(block: Sequence[Line], line: Line) -> bool:
    """Whether a line opens a paragraph: indented after a line that stops short, or of another type size."""
    left, last = min(one.box.x0 for one in block), block[-1]
    right = max(one.box.x1 for one in block)
    below = line.box.y0 > last.box.y0 + 0.5 * last.size
    indented = len(block) > 1 and left + 6 < line.box.x0 < left + 40 and last.box.x1 < right - 6
    return below and (indented or abs(line.size - last.size) > 0.15 * last.size)


def _outside(page: PageText, lines: Sequence[Line]) -> Region:
    box = hull(line.box for line in lines)
    edge = box.y1 < _MARGIN * page.height or box.y0 > (1 - _MARGIN) * page.height
    return Region("margin" if edge else "text", box, straighten(lines))


def _region(page: PageText, lines: list[Line], body: float, largest: float, running: set[str]) -> Region:
    box = hull(line.box for line in lines)
    region = Region("text", box, straighten(lines))
    return Region(_role(page, region, lines[0], body, largest, running), box, region.lines)


def _role(
    page: PageText, region: Region, first: Line, body: float, largest: float, running: set[str]
) -> Role:
    text, words = region.text, sum(len(line.words) for line in region.lines)
    odd = _masked(text) in running or len(text) < 8 or (first.size < body * 0.92 and words < 40)
    if _edge(page, region.box) and odd:
        return "margin"
    if page.number == 1 and first.size >= largest > body * 1.15 and words < 40:
        return "title"
    if CAPTION.match(text):
        return "caption"
    heavy = first.bold or first.size > body * 1.08
    if heavy and len(region.lines) < 3 and words < 16 and text[-1] not in ".,;:" and text[0].isalnum():
        return "heading"
    low = region.box.y0 > 0.6 * page.height
    return "footnote" if first.size < body * 0.92 and low and _FOOTNOTE.match(text) else "text"


def _edge(page: PageText, box: Box) -> bool:
    return box.y1 < _MARGIN * page.height or box.y0 > (1 - _MARGIN) * page.height


def _masked(text: str) -> str:
    return _DIGITS.sub("0", text)


def _running(pages: Sequence[PageText]) -> set[str]:
    """What stands at the edge of more than one page, numbers aside."""
    seen: Counter[str] = Counter()
    for page in pages:
        for block in _blocks(page.lines):
            if _edge(page, hull(line.box for line in block)):
                seen[_masked(" ".join(line.text for line in straighten(block)))] += 1
    return {text for text, count in seen.items() if count > 1}
