"""Which process runs which file, when several share the tests.

Tests of whole servers wait more than they compute, the others compute all the time. So the first process begins with
the heaviest files and the others with the lightest, until they meet: no processor idles, and a test that measures
seldom has another whole server beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

HEAVY = ("slow", "server", "media")  # marks, the heaviest first


def heaviest_first(items: list[pytest.Item]) -> None:
    """Sort the files by the heaviest test in each, and leave those that weigh the same in their order."""
    weights: dict[Path, int] = {}
    for item in items:
        weights[item.path] = min(_weight(item), weights.get(item.path, len(HEAVY)))
    items.sort(key=lambda item: weights[item.path])


def _weight(item: pytest.Item) -> int:
    return next((place for place, mark in enumerate(HEAVY) if item.get_closest_marker(mark)), len(HEAVY))


class FromBothEnds(LoadFileScheduling):  # type: ignore[misc]  # untyped, too
    """Whole files in the order of collection: the first process takes them from the front, the others from the back."""

    def _assign_work_unit(self, node: Any) -> None:
        if node is not self.nodes[0]:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)
