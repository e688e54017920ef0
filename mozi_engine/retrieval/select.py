"""How many passages to believe, maybe none: from the chances that a search gives them.

A set chosen for its expected F1, passages taken as independent, did worse on held-out papers than fewer and
simpler rules (docs/results/retrieval.md): evidence comes alone or in twos, and the chances of neighbours in a
ranking are anything but independent.
"""

from __future__ import annotations

from collections.abc import Sequence

from mozi_engine.types import Evidence

SHARE = 0.6  # of the first passage's chance: what has less is left out
MOST = 2  # passages
DOUBT = 0.02  # a first chance under which the paper likely does not answer


def believed(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The beginning of a ranking that is to be believed; all of it where the search gives no chances."""
    chances = [item.chance for item in evidence if item.chance is not None]
    if len(chances) < len(evidence):
        return tuple(evidence)
    return tuple(evidence[: cutoff(chances)])


def cutoff(chances: Sequence[float], share: float = SHARE, most: int = MOST, doubt: float = DOUBT) -> int:
    """How many of a ranking's first passages to believe, by their chances, best first.

    Those that have `share` of the first one's, at the most `most`; none when the first has under `doubt`.
    """
    if not chances or chances[0] < doubt:
        return 0
    return sum(chance >= share * chances[0] for chance in chances[:most])


def doubtful(evidence: Sequence[Evidence]) -> bool:
    """Whether the paper likely does not answer; never where the search gives no chances."""
    chances = [item.chance for item in evidence]
    return bool(chances) and chances[0] is not None and chances[0] < DOUBT
