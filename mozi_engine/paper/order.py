"""Reading order: which box on a page is read before which."""

from __future__ import annotations

from collections.abc import Sequence

from mozi_engine.types import Box

_SLACK = 2.0  # points by which neighbouring columns or lines may overlap and still be apart


def reading_order(boxes: Sequence[Box]) -> list[int]:
    """Positions of the boxes of one page in reading order.

    A recursive cut: columns left to right where a gutter runs through, otherwise stripes top to
    bottom, neighbouring stripes being taken together as long as one gutter serves them all and at
    least one of them stands on both sides of it.
    """
    return _ordered(boxes, list(range(len(boxes))))


def _ordered(boxes: Sequence[Box], members: list[int]) -> list[int]:
    if len(members) < 2:
        return members
    groups = _gathered(boxes, _parts(boxes, members, across=False))
    if len(groups) > 1:
        return [i for group in groups for i in _ordered(boxes, group)]
    columns = _parts(boxes, members, across=True)
    if len(columns) > 1:
        return [i for column in columns for i in _ordered(boxes, column)]
    return sorted(members, key=lambda i: (boxes[i].y0, boxes[i].x0))


def _gathered(boxes: Sequence[Box], stripes: list[list[int]]) -> list[list[int]]:
    def columns(members: list[int]) -> int:
        return len(_parts(boxes, members, across=True))

    groups = [stripes[0]]
    for stripe in stripes[1:]:
        together = groups[-1] + stripe
        if columns(together) > 1 and max(columns(groups[-1]), columns(stripe)) > 1:
            groups[-1] = together
        else:
            groups.append(stripe)
    return groups


def _parts(boxes: Sequence[Box], members: list[int], *, across: bool) -> list[list[int]]:
    """The members in runs that nothing connects: side by side, or one above the other."""

    def span(i: int) -> tuple[float, float]:
        box = boxes[i]
        low, high = (box.x0, box.x1) if across else (box.y0, box.y1)
        slack = min(_SLACK, (high - low) / 4)
        return low + slack, high - slack

    parts: list[list[int]] = []
    reach = float("-inf")
    for i in sorted(members, key=span):
        low, high = span(i)
        if low > reach:
            parts.append([])
        parts[-1].append(i)
        reach = max(reach, high)
    return parts
