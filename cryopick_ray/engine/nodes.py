"""Nodes of a cluster that get no further workers."""

from collections import Counter
from collections.abc import Collection

STRIKES = 3
"""Workers in a row that may fail on a node before any of them has ended a unit."""


class Nodes:
    """Failures and departures of a cluster's nodes, by node id."""

    def __init__(self) -> None:
        self._strikes: Counter[str] = Counter()
        self._leaving: set[str] = set()

    @property
    def excluded(self) -> list[str]:
        """Nodes that get no further workers, sorted."""
        return sorted(self._leaving | self._bad())

    def worked(self, node: str) -> None:
        """Note that a unit ended well on the node, which clears its failures."""
        self._strikes.pop(node, None)

    def failed(self, node: str) -> bool:
        """Note that a worker failed on the node; tell whether the node is now excluded."""
        self._strikes[node] += 1
        return self._strikes[node] == STRIKES

    def left(self, node: str) -> bool:
        """Note that a node is about to leave; tell whether that was not known."""
        is_new = node not in self._leaving
        self._leaving.add(node)
        return is_new

    def all_bad(self, alive: Collection[str]) -> bool:
        """Tell whether every node of the cluster has failed too often."""
        return bool(alive) and self._bad().issuperset(alive)

    def _bad(self) -> set[str]:
        return {node for node, count in self._strikes.items() if count >= STRIKES}
