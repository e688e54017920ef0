"""From the regions of every page, in reading order, to a Paper."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from mozi_engine.paper import joining, references
from mozi_engine.paper.page import Line, Region, is_cjk
from mozi_engine.types import Kind, Paper, Paragraph, Section

_KINDS: dict[str, Kind] = {
    "text": "text",
    "list": "list",
    "caption": "caption",
    "footnote": "footnote",
    "equation": "equation",
    "table": "table",
}
_FLOATS = ("caption", "table", "footnote")
_COUNTED = re.compile(r"\d{1,2}(?:\.\d+)*\.?\s+[A-Z]")
_CHAPTER = re.compile(r"第\s*[\d一二三四五六七八九十]+\s*章")
_SPREAD = re.compile(r"(?<=[\u3040-\u9fff])\s+(?=[\u3040-\u9fff])")
_NOTE_MARK = re.compile(r"[\d*†‡§¶∗]")
_NUMBERED = re.compile(
    r"(?:(?:appendix|chapter|section)\s+)?((?:\d{1,2}|[A-Z])(?:\.\d{1,2})*)\.?\s+\S", re.IGNORECASE
)
_REFERENCES = re.compile(
    r"(?:\d+\.?\s+|[IVX]+\.\s+)?"
    r"(?:references|bibliography|literature cited|works cited|参\s*考\s*文\s*献)\s*:?",
    re.IGNORECASE,
)
_INLINE_ABSTRACT = re.compile(r"(?:abstract|summary|摘\s*要)\s*[.:：—–-]+\s*", re.IGNORECASE)
_ABSTRACT = re.compile(r"abstract|summary|摘\s*要", re.IGNORECASE)
_TERMINAL = tuple(".!?:;。！？：；…")
_OPENING = "\"'“‘([（「"
_CLOSING = "\"'”’)]』」）"
_TOP = ("abstract", "references", "acknowledg", "conclusion", "introduction", "appendix", "摘要", "参考文献")


@dataclass
class _Draft:
    title: str
    level: int
    paragraphs: list[Paragraph] = field(default_factory=list)


def assemble(identity: str, pages: Sequence[Sequence[Region]], scanned: Sequence[int] = ()) -> Paper:
    """The Paper that the regions print. `pages` holds one list a page, each in reading order."""
    regions = [region for page in pages for region in _footnotes_last(page)]
    if all(region.role == "title" for region in regions):
        regions = [replace(region, role="text") for page in pages for region in page if region.lines]
    known = joining.vocabulary(line for region in regions for line in region.lines)
    title, regions = _title(regions)
    body, entries = _parted(regions)
    sections = _Sections(known, _heading_sizes(regions))
    for region in body:
        sections.add(region)
    return Paper(
        identity, title, sections.done(), references.entries(entries, known), len(pages), tuple(scanned)
    )


def _footnotes_last(page: Sequence[Region]) -> list[Region]:
    """What a reader reads at the foot of the page must not stand between two columns."""
    kept = [region for region in page if region.role not in ("margin", "picture") and region.lines]
    return sorted(kept, key=lambda region: region.role == "footnote")


def _title(regions: list[Region]) -> tuple[str, list[Region]]:
    early = [
        i
        for i, r in enumerate(regions)
        if r.role == "title" and r.box.page <= 2 and not _COUNTED.match(r.text)
    ]
    if not early:
        return _largest_heading(regions), regions
    at = early[0]
    end = at + 1
    while (
        end < len(regions) and regions[end].role == "title" and regions[end].box.page == regions[at].box.page
    ):
        end += 1
    lines = [line for region in regions[at:end] for line in region.lines]
    return joining.paragraph("heading", lines, ()).text, regions[:at] + regions[end:]


def _largest_heading(regions: list[Region]) -> str:
    """A cover page has headings and no title: the one in the largest type names the work."""
    cover = [region for region in regions if region.role == "heading" and region.box.page == 1]
    if len(cover) < 2:
        return ""
    return joining.paragraph("heading", max(cover, key=lambda region: region.size).lines, ()).text


def _is_heading(region: Region) -> bool:
    return region.role in ("heading", "title")


def _parted(regions: Sequence[Region]) -> tuple[list[Region], list[Region]]:
    """The body, and the list of references: from its heading to the next one that is not smaller."""
    body: list[Region] = []
    entries: list[Region] = []
    within: Region | None = None
    for region in regions:
        if _is_heading(region):
            starts = _REFERENCES.fullmatch(region.text.strip()) is not None
            ends = within is not None and region.size >= 0.97 * within.size
            within = region if starts else None if ends else within
            if starts:
                continue
        inside = within is not None and region.role in ("text", "list", "heading", "equation")
        (entries if inside else body).append(region)
    return body, entries


def _heading_sizes(regions: Sequence[Region]) -> dict[float, int]:
    """The level of a heading without a number by its type size: that of the numbered ones, or its rank."""
    numbered: dict[float, int] = {}
    sizes = sorted({round(r.size, 1) for r in regions if _is_heading(r)}, reverse=True)
    for region in regions:
        found = _NUMBERED.match(region.text) if _is_heading(region) else None
        if found:
            size, level = round(region.size, 1), found[1].count(".") + 1
            numbered[size] = min(level, numbered.get(size, level))
    if not numbered:
        return {size: min(rank, 3) for rank, size in enumerate(sizes, 1)}
    return {s: numbered[min(numbered, key=lambda n: abs(n - s))] for s in sizes}


class _Sections:
    """Collects paragraphs under their headings, mending those that a column or page break cut in two."""

    def __init__(self, known: Collection[str], levels: dict[float, int]) -> None:
        self._known = known
        self._levels = levels
        self._drafts = [_Draft("", 0)]
        self._last: Region | None = None

    def add(self, region: Region) -> None:
        """Take the next region of the body."""
        if _is_heading(region):
            self._heading(region)
        elif region.role == "table":
            rows = region.rows or tuple((line.words,) for line in region.lines)
            self._drafts[-1].paragraphs.append(joining.table(rows, self._known))
        else:
            self._text(region)

    def done(self) -> tuple[Section, ...]:
        """The sections; the one before the first heading only when something stands in it."""
        kept = (d for d in self._drafts if d.paragraphs or d.level)
        return tuple(Section(d.title, d.level, tuple(d.paragraphs)) for d in kept)

    def _heading(self, region: Region) -> None:
        printed = joining.paragraph("heading", region.lines, self._known)
        title = printed.text
        if _ABSTRACT.fullmatch(title.strip(" :.—–-")):
            title = _SPREAD.sub("", title.strip(" :.—–-")).capitalize()
        number = _NUMBERED.match(title)
        level = number[1].count(".") + 1 if number else self._unnumbered(region, title)
        self._drafts.append(_Draft(title, level, [printed]))
        self._last = None

    def _unnumbered(self, region: Region, title: str) -> int:
        if _CHAPTER.match(title) or title.casefold().replace(" ", "").startswith(_TOP):
            return 1
        return self._levels.get(round(region.size, 1), 1)

    def _text(self, region: Region) -> None:
        kind = _KINDS[region.role]
        new = joining.paragraph(kind, region.lines, self._known)
        if not new.text:
            return
        if self._abstract_opens(new):
            self._drafts.append(_Draft("Abstract", 1))
        at = self._to_continue(region, new)
        if at is None:
            self._drafts[-1].paragraphs.append(new)
        else:
            self._mend(at, new)
        if kind not in _FLOATS:
            self._last = region

    def _abstract_opens(self, new: Paragraph) -> bool:
        early = new.kind == "text" and new.words[0].box.page <= 2
        return early and _INLINE_ABSTRACT.match(new.text) is not None

    def _to_continue(self, region: Region, new: Paragraph) -> int | None:
        """Where the paragraph stands that this region goes on with, if it does."""
        paragraphs = self._drafts[-1].paragraphs
        if region.role == "footnote":
            follows = (
                bool(paragraphs) and paragraphs[-1].kind == "footnote" and not _NOTE_MARK.match(new.text)
            )
            return len(paragraphs) - 1 if follows else None
        last = self._last
        if last is None or region.role not in ("text", "list") or last.role not in ("text", "list"):
            return None
        at = next((i for i in range(len(paragraphs) - 1, -1, -1) if paragraphs[i].kind not in _FLOATS), None)
        if at is None or paragraphs[at].kind not in ("text", "list"):
            return None
        if paragraphs[at].text.rstrip(_CLOSING).endswith(_TERMINAL) or new.kind == "list":
            return None
        first = new.text.lstrip(_OPENING)[:1]
        broken = region.box.page != last.box.page or region.box.y0 < last.box.y0 or at < len(paragraphs) - 1
        return at if first.islower() or (broken and (_full(last.lines) or is_cjk(first))) else None

    def _mend(self, at: int, new: Paragraph) -> None:
        paragraphs = self._drafts[-1].paragraphs
        writer = joining.Writer(self._known)
        writer.paragraph(paragraphs[at])
        writer.paragraph(new)
        paragraphs[at] = writer.done(paragraphs[at].kind)


def _full(lines: Sequence[Line]) -> bool:
    """Whether the last line reaches the margin: then the text may go on with a capital, too."""
    alone = len(lines) == 1 and len(lines[0].words) > 6
    return alone or (len(lines) > 1 and lines[-1].box.x1 > max(line.box.x1 for line in lines) - 4)
