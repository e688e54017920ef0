"""A page's text in lines, with what is highlighted: only the lines that show are ever drawn."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mozi_cli.tui.page_lines import Line, lines
from mozi_engine.paper.pages import Piece, Span
from mozi_engine.types import Box, Word

MARK_SIGN, CURRENT_SIGN = "▌", "›"
_GUTTER = len(MARK_SIGN + CURRENT_SIGN) + 1
_MEASURE = 92  # cells; longer lines are hard to read

Spans = Mapping[int, Sequence[Span]]  # characters of paragraphs, by the paragraph's number


class PageView(ScrollView, can_focus=False):
    """Shows the pieces of a page. Three things can be highlighted: marks, matches, the current match."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "page--heading",
        "page--caption",
        "page--footnote",
        "page--mark",
        "page--match",
        "page--current",
        "page--sign",
    }

    def __init__(self) -> None:
        super().__init__()
        self._pieces: Sequence[Piece] = ()
        self._lines: list[Line] = []
        self._highlights: dict[str, Spans] = {}
        self._revealed: tuple[int, int] | None = None
        self._height = 0  # of the view when its lines were broken

    @property
    def section(self) -> str:
        """The title of the section at the top of the view."""
        top = self._lines[self.scroll_offset.y :] or self._lines
        return next((line.piece.section for line in top if line.piece), "")

    @property
    def place(self) -> Box | None:
        """The first word in view; where there is none, the last before it."""
        top = self.scroll_offset.y
        after = (word for line in self._lines[top:] for word in _words(line))
        before = (word for line in self._lines[top - 1 :: -1] for word in reversed(_words(line)))
        word = next(after, None) or next(before, None)
        return word.box if word else None

    def show(self, pieces: Sequence[Piece]) -> None:
        """Show these pieces from the top, nothing highlighted."""
        self._pieces, self._highlights, self._revealed = pieces, {}, None
        self._break()
        self.scroll_to(y=0, animate=False)

    def highlight(self, marks: Spans, matches: Spans, current: Spans) -> None:
        """Highlight these characters, and no others."""
        self._highlights = {"page--mark": marks, "page--match": matches, "page--current": current}
        self.refresh()

    def reach(self, box: Box) -> None:
        """Scroll so that the line that prints the box, or the nearest to it, is the first in view."""
        words = ((at, word.box) for at, line in enumerate(self._lines) for word in _words(line))
        nearest = min(words, key=lambda word: _distance(word[1], box), default=(0, box))
        self.scroll_to(y=nearest[0], animate=False)

    def reveal(self, number: int, start: int) -> None:
        """Scroll, if need be, to have this character of paragraph `number` in view."""
        self._revealed = (number, start)
        at = self._line_of(number, start)
        if not self._in_view(at):
            self.scroll_to(y=max(at - self._height // 3, 0), animate=False)

    def on_resize(self, _: events.Resize) -> None:
        """Break the lines anew; what stood at the top stays there, and what was revealed stays in view."""
        place, revealed = self.place, self._revealed
        seen = revealed and (not self._lines or self._in_view(self._line_of(*revealed)))
        self._break()
        if place:
            self.reach(place)
        if revealed and seen:
            self.reveal(*revealed)

    def render_line(self, y: int) -> Strip:
        """Line `y` of the view."""
        at, width, base = y + self.scroll_offset.y, self.size.width, self.rich_style
        if at >= len(self._lines):
            return Strip.blank(width, base)
        line = self._lines[at]
        margin = Segment(" " * (max(self._room - _MEASURE, 0) // 2), base)
        strip = Strip([margin, self._sign(line, base), *self._text(line, base)])
        return strip.crop_extend(0, width, base)

    @property
    def _room(self) -> int:
        return self.scrollable_content_region.width - _GUTTER - 1

    def _break(self) -> None:
        self._height = self.scrollable_content_region.height
        self._lines = lines(self._pieces, min(self._room, _MEASURE)) if self._room > 0 else []
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._lines))
        self.refresh()

    def _line_of(self, number: int, start: int) -> int:
        found = (at for at, line in enumerate(self._lines) if _prints(line, number, (start, start + 1)))
        return next(found, 0)

    def _in_view(self, at: int) -> bool:
        top = self.scroll_offset.y
        return top <= at < top + self._height - 1

    def _sign(self, line: Line, base: Style) -> Segment:
        marked, current = (self._shows(line, name) for name in ("page--mark", "page--current"))
        sign = (MARK_SIGN if marked else " ") + (CURRENT_SIGN if current else " ") + " "
        return Segment(sign, base + self._style("page--sign"))

    def _shows(self, line: Line, name: str) -> bool:
        number = line.piece.number if line.piece else -1
        spans = self._highlights.get(name, {}).get(number, ())
        return any(_prints(line, number, span) for span in spans)

    def _text(self, line: Line, base: Style) -> Iterator[Segment]:
        if line.piece is None:
            return
        kind, text = line.piece.paragraph.kind, line.piece.paragraph.text
        style = base + self._style(f"page--{kind}") if f"page--{kind}" in self.COMPONENT_CLASSES else base
        yield Segment(line.lead, style)
        column = cell_len(line.lead)
        for part in line.parts:
            yield Segment(" " * (part.column - column), style)
            for start, end, names in self._runs(line.piece.number, part.start, part.end):
                yield Segment(text[start:end], Style.combine([style, *map(self._style, names)]))
            column = part.column + cell_len(text[part.start : part.end])

    def _runs(self, number: int, start: int, end: int) -> Iterator[tuple[int, int, list[str]]]:
        """The characters in runs that are highlighted alike, with the names of the highlights."""
        spans = [
            (name, span) for name, by_number in self._highlights.items() for span in by_number.get(number, ())
        ]
        cuts = {cut for _, span in spans for cut in span if start < cut < end}
        for a, b in pairwise(sorted({start, end} | cuts)):
            yield a, b, [name for name, span in spans if span[0] <= a and b <= span[1]]

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(name, partial=True)


def _words(line: Line) -> Sequence[Word]:
    """The words that begin on the line, or go on there."""
    if line.piece is None or not line.parts:
        return ()
    words, start, end = line.piece.words, line.parts[0].start, line.parts[-1].end
    first = bisect_right(words, start, key=lambda word: word.end)
    return words[first : bisect_left(words, end, key=lambda word: word.start)]


def _prints(line: Line, number: int, span: Span) -> bool:
    if line.piece is None or line.piece.number != number:
        return False
    return any(part.start < span[1] and part.end > span[0] for part in line.parts)


def _distance(word: Box, place: Box) -> float:
    """From one box's corner to the other's; pages are far apart."""
    return abs(word.page - place.page) * 1e6 + abs(word.x0 - place.x0) + abs(word.y0 - place.y0)
