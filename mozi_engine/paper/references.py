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
    lines = [(line, region) for region in regions for line in region.lines]
    marked = sum(1 for line, _ in lines if _MARK.match(line.text))
    by_mark = marked > 2 and marked * 12 > len(lines)
    groups: list[list[Line]] = []
    previous: Region | None = None
    for line, region in lines:
        fresh = _MARK.match(line.text) if by_mark else _opens(line, region, previous, regions)
        if groups and not fresh:
            groups[-1].append(line)
        else:
            groups.append([line])
        previous = region
    return tuple(joining.paragraph("list", group, known) for group in groups)


def _opens(line: Line, region: Region, previous: Region | None, regions: Sequence[Region]) -> bool:
    column = [
        one.box.x0
        for other in regions
        if other.box.page == region.box.page and abs(other.box.x0 - region.box.x0) < 40
        for one in other.lines
    ]
    left = min(column)
    hanging = sum(1 for x in column if x > left + _INDENT) * 4 > len(column)
    if hanging:
        return line.box.x0 < left + _INDENT
    return region is not previous
