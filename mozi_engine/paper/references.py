"""The list of references, cut into its entries."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from mozi_engine.paper import joining
from mozi_engine.paper.page import Line, Region
from mozi_engine.types import Paragraph

_MARK = re.compile(r"(?:\[[^\]]{1,12}\]|\(\d{1,3}\)|\d{1,3}\.)(?:\s|$)")
_INDENT = 4.0  # points that the lines after an entry's first stand further right


def entries(regions: Sequence[Region], known: Collection[str]) -> tuple[Paragraph, ...]:
    """One paragraph an entry, in order: by the entries' marks, by their hanging indent, or by region."""
    texts = [line.text for region in regions for line in region.lines]
    marked = sum(1 for text in texts if _MARK.match(text))
    by_mark = marked > 2 and marked * 12 > len(texts)
    groups: list[list[Line]] = []
    for region in regions:
        left = None if by_mark else _hanging(region, regions)
        for line in region.lines:
            fresh = _MARK.match(line.text) if by_mark else _opens(line, region, left)
            if groups and not fresh:
                groups[-1].append(line)
            else:
                groups.append([line])
    return tuple(joining.paragraph("list", group, known) for group in groups)


def _opens(line: Line, region: Region, left: float | None) -> bool:
    return line is region.lines[0] if left is None else line.box.x0 < left + _INDENT


def _hanging(region: Region, regions: Sequence[Region]) -> float | None:
    """Where entries begin in the region's column; None if the lines after their first are not indented."""
    column = [
        line.box.x0
        for other in regions
        if other.box.page == region.box.page and abs(other.box.x0 - region.box.x0) < 40
        for line in other.lines
    ]
    left = min(column)
    indented = sum(1 for x in column if x > left + _INDENT)
    return left if indented * 4 > len(column) else None
