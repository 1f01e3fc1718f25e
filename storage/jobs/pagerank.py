"""PageRank: how often a reader who follows links at random would come by.

May touch: nothing. Plain arrays in, one out: 8 bytes per link and 28 per node, no more.

Power iteration on the sparse matrix (Page, Brin, Motwani, Winograd 1998). From a node
without links the reader goes anywhere, as from one of which there is enough.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import NamedTuple

DAMPING = 0.85  # of the authors, and of everybody since
TOLERANCE = 1e-6  # the sum of what a round changed; the ranks add up to 1
MOST_ROUNDS = 100  # 0.85 ** 86 is below the tolerance: no graph needs more


class Ranks(NamedTuple):
    rank: array[float]  # by node; they add up to 1
    rounds: int
    change: float  # in the last round


class Graph:
    """Links by their target: node n is linked from `sources[starts[n]:starts[n + 1]]`."""

    def __init__(self, nodes: int, links: Iterable[tuple[int, int]]) -> None:
        """Take the links, (source, target), in the order of their targets."""
        self.nodes = nodes
        self.out = array("i", bytes(4 * nodes))  # links that leave a node
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
    while rounds < MOST_ROUNDS:
        rounds += 1
        after = _round(graph, rank)
        change = sum(map(abs, map(float.__sub__, after, rank)))
        rank = after
        if change < TOLERANCE:
            break
    return Ranks(rank, rounds, change)


def _round(graph: Graph, rank: array[float]) -> array[float]:
    out, starts, sources = graph.out, graph.starts, graph.sources
    # What a node passes on along each of its links, and what those pass to all that have none.
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
