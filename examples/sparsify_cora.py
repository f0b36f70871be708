"""Train a GCN on Cora with all edges, and with the part that a sparsifier keeps.

    python examples/sparsify_cora.py --keep 0.36 --root DATA

DATA is a folder of data sets; Cora is downloaded into it if it is not there.  With
GRAPHSPARSE_OFFLINE=1 nothing is downloaded, and a missing Cora is an error that says so.
"""

from __future__ import annotations

import argparse
import sys

from graphsparse import GraphsparseError, load_dataset
from graphsparse.training import NodeData
from graphsparse.training.experiment import Experiment
from graphsparse.training.recipe import Recipe
from graphsparse.training.summary import score_text, summarize

EDGES = {
    "all edges": {},
    "TEDDY": {"method": "teddy"},
    "TEDDY, best edge of each node last": {"method": "teddy", "options": {"protect": "top1"}},
    "random pairs": {"method": "random"},
}


def main() -> None:
    """Print the test accuracy of each way to choose edges."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=float, default=0.36, help="fraction of the edges to keep")
    parser.add_argument("--root", help="folder of data sets")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--epochs", type=int, default=200)
    options = parser.parse_args()
    try:
        cora = load_dataset("Cora", root=options.root)
    except GraphsparseError as error:
        sys.exit(f"Cora cannot be loaded: {error}")

    experiment = Experiment(NodeData.from_pyg(cora.to_pyg()))
    base = Recipe.from_dict(
        {"data": {"name": "Cora"}, "model": {"hidden": 64}, "train": {"epochs": options.epochs}}
    )
    print(f"{cora.graph}\nGCN, test accuracy over {options.seeds} seeds")
    for name, edges in EDGES.items():
        recipe = base.replace(edges={**edges, "keep": options.keep}) if edges else base
        runs = [
            {"arm": name, "result": experiment.run(recipe, seed)}
            for seed in range(3, 3 + options.seeds)
        ]
        summary = summarize(runs)[0]
        print(f"{name}: {summary.edges:,.0f} edges, {score_text(summary)}", flush=True)


if __name__ == "__main__":
    main()
