"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

GraphFile = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Graph to read.")
]
GraphFileOrFolder = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, help="Graph, or folder of a hypergraph.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks.")]
Directed = Annotated[
    bool | None,
    typer.Option(
        "--directed/--undirected",
        help="How to take the edges of the file.  [default: as the file says]",
        show_default=False,
    ),
]
InputFormat = Annotated[
    str | None,
    typer.Option("--from", metavar="FORMAT", help="Format of the input, if not told by its name."),
]
ReadSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--read",
        metavar="NAME=VALUE",
        help="How to read: duplicates=sum, self_loops=drop, base=1, weight=NAME, id_map=FILE, ...",
    ),
]
OutputFormat = Annotated[
    str | None,
    typer.Option("--to", metavar="FORMAT", help="Format of the output, if not told by its name."),
]
RecipeFile = Annotated[
    Path, typer.Argument(metavar="RECIPE", exists=True, dir_okay=False, help="TOML recipe.")
]
RecipeSettings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe: edges.keep=0.5."),
]
Seeds = Annotated[str, typer.Option(help="Seeds to run: 3, 0-9 or 1,5,7-9.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from the checkpoints of runs that were stopped.")
]
SaveWeights = Annotated[
    bool, typer.Option("--save-weights", help="Keep the weights after the last epoch of each run.")
]
TensorBoard = Annotated[
    Path | None,
    typer.Option("--tensorboard", file_okay=False, help="Gets event files of each run."),
]
