"""Which nodes workers are not to go to again, and why."""

from collections import Counter
from collections.abc import Collection

STRIKES = 3
"""Workers in a row that may fail on a node before any of them has ended a unit."""


class Nodes:
    """What is known of the nodes of a cluster, by their ids."""

    def __init__(self) -> None:
        self._strikes: Counter[str] = Counter()
        self._leaving: set[str] = set()

    @property
    def shunned(self) -> list[str]:
        """Nodes that get no further workers, sorted."""
        return sorted(self._leaving | self._bad())

    def worked(self, node: str) -> None:
        """Note that a unit ended well there: what failed before was bad luck."""
        self._strikes.pop(node, None)

    def failed(self, node: str) -> bool:
        """Note that a worker failed there; tell whether that was one too many."""
        self._strikes[node] += 1
        return self._strikes[node] == STRIKES

    def left(self, node: str) -> bool:
        """Note that a node is about to vanish; tell whether that is news."""
        news = node not in self._leaving
        self._leaving.add(node)
        return news

    def all_bad(self, alive: Collection[str]) -> bool:
        """Tell whether every node there is has failed too often."""
        return bool(alive) and self._bad().issuperset(alive)

    def _bad(self) -> set[str]:
        return {node for node, count in self._strikes.items() if count >= STRIKES}
