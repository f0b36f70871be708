"""Command line ``graphsparse``: one file per command, and here what they have in common.

stdout carries data or, with ``--json``, one JSON object; progress and messages go to stderr.
Exit status: 0 done, 2 wrong usage, 3 bad input data, 4 a package, a device or a download is
missing, 130 interrupted.  With ``GRAPHSPARSE_DEBUG=1`` every error shows its traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from graphsparse.cli import (
    amud,
    bench,
    compare,
    convert,
    datasets,
    doctor,
    embed,
    info,
    kappa,
    report,
    sparsify,
    stream,
    train,
)
from graphsparse.errors import (
    BackendError,
    DownloadError,
    GraphFormatError,
    StoreDamagedError,
    StoreError,
)

USAGE, BAD_DATA, MISSING, INTERRUPTED = 2, 3, 4, 130

app = typer.Typer(
    name="graphsparse",
    help="Sparsify graphs, train graph neural networks on them, and look at both.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich for its boxes takes 0.1 s
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("info")(info.command)
app.command("convert")(convert.command)
app.command("sparsify")(sparsify.command)
app.command("embed")(embed.command)
app.command("kappa")(kappa.command)
app.command("report")(report.command)
app.command("compare")(compare.command)
app.command("amud")(amud.command)
app.add_typer(stream.app, name="stream")
app.command("train")(train.command)
app.command("bench")(bench.command)
app.add_typer(datasets.app, name="datasets")
app.command("doctor")(doctor.command)


def _print_version(asked: bool) -> None:
    if asked:
        import graphsparse

        print(f"graphsparse {graphsparse.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit status."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        app(arguments, prog_name="graphsparse")
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        status = _status(error)
        if status is None or os.environ.get("GRAPHSPARSE_DEBUG") == "1":
            raise
        print(f"graphsparse: error: {error}", file=sys.stderr)
        return status
    return 0


def _status(error: Exception) -> int | None:
    """Return the exit status of an error that is no bug, else None."""
    if isinstance(error, GraphFormatError | StoreDamagedError):
        return BAD_DATA
    if isinstance(error, BackendError | DownloadError):
        return MISSING
    if isinstance(error, ValueError | OSError | StoreError):
        return USAGE
    return None
