"""Sparsify the bundled digits graph in three ways and look at what is left.

    python examples/sparsify_digits.py --keep 0.5

Needs no network and no torch.
"""

from __future__ import annotations

import argparse

from graphsparse import load_dataset, sparsify

METHODS = {
    "TEDDY": ("teddy", {}),
    "TEDDY, best edge of each node last": ("teddy", {"protect": "top1"}),
    "random pairs": ("random", {"seed": 7}),
}


def main() -> None:
    """Print one line per method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=float, default=0.5, help="fraction of the edges to keep")
    keep = parser.parse_args().keep
    digits = load_dataset("digits")
    # Each image points to its ten nearest; for the sparsifiers a pair is one edge.
    graph, labels = digits.graph.symmetrize(), digits.arrays["y"]
    print(graph)
    for name, (method, options) in METHODS.items():
        result = sparsify(graph, method, keep, **options)
        u, v = result.graph.edges()
        within = (labels[u] == labels[v]).mean()
        lonely = int((result.graph.degree == 0).sum())
        print(
            f"{name}: {result.num_kept:,} of {result.num_candidates:,} edges, "
            f"{within:.1%} within a class, {lonely} nodes without an edge"
        )


if __name__ == "__main__":
    main()
