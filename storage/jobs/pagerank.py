"""PageRank: how often a reader who follows links at random visits each page.

May touch: nothing. Plain arrays in and out: 8 bytes per link and 28 per node.

Power iteration on the sparse matrix (Page, Brin, Motwani, Winograd 1998). From a node
without links the reader jumps to any node.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import NamedTuple

DAMPING = 0.85  # the value of the authors; the usual one since
TOLERANCE = 1e-6  # on the sum of all changes in a round; the sum of all ranks is 1
MAX_ROUNDS = 100  # 0.85 ** 86 is below the tolerance: no graph needs more


class Ranks(NamedTuple):
    rank: array[float]  # by node; the sum is 1
    rounds: int
    change: float  # sum of all changes in the last round


class Graph:
    """Links by target: node n is linked from `sources[starts[n]:starts[n + 1]]`."""

    def __init__(self, nodes: int, links: Iterable[tuple[int, int]]) -> None:
        """Read the links as (source, target), sorted by target."""
        self.nodes = nodes
        self.out = array("i", bytes(4 * nodes))  # number of links from each node
        self.starts = array("q", bytes(8 * (nodes + 1)))
        self.sources = array("i")
        for source, target in links:
            self.sources.append(source)
            self.out[source] += 1
            self.starts[target + 1] += 1
        for node in range(nodes):
            self.starts[node + 1] += self.starts[node]


def pagerank(graph: Graph) -> Ranks:
    """Iterate until a round changes less than TOLERANCE."""
    nodes = graph.nodes
    if not nodes:
        return Ranks(array("d"), 0, 0.0)
    rank = array("d", [1 / nodes]) * nodes
    change = 0.0
    rounds = 0
    while rounds < MAX_ROUNDS:
        rounds += 1
        after = _round(graph, rank)
        change = sum(map(abs, map(float.__sub__, after, rank)))
        rank = after
        if change < TOLERANCE:
            break
    return Ranks(rank, rounds, change)


def _round(graph: Graph, rank: array[float]) -> array[float]:
    out, starts, sources = graph.out, graph.starts, graph.sources
    # The rank that a node passes along each of its links; nodes without links pass theirs to all.
    share = array("d", (DAMPING * r / n if n else 0.0 for r, n in zip(rank, out, strict=True)))
    lost = sum(r for r, n in zip(rank, out, strict=True) if not n)
    everywhere = (1 - DAMPING + DAMPING * lost) / graph.nodes
    passed = share.__getitem__
    after = array("d")
    begin = 0
    for end in starts[1:]:
        after.append(everywhere + sum(map(passed, sources[begin:end])))
        begin = end
    return after
