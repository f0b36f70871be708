"""Graphs from files and to files: one reader and one writer for every format, by suffix."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import BinaryIO, NamedTuple, Unpack

from graphsparse.checks import check_choice, check_count
from graphsparse.graph import Graph
from graphsparse.io.id_map import read_id_map, write_id_map
from graphsparse.io.options import Array, ReadKeywords, ReadOptions, ReadReport, make_options
from graphsparse.io.pieces import rebatch
from graphsparse.io.streams import PathLike, atomic_write, source_name, split_suffix
from graphsparse.io.vectors import write_vectors


class Format(NamedTuple):
    """A file format: the module in this folder, its functions, the suffixes that stand for it."""

    module: str
    reader: str
    suffixes: tuple[str, ...]


FORMATS = {
    "edge_list": Format(
        "edge_list", "read", (".txt", ".csv", ".tsv", ".edges", ".edgelist", ".el", ".wel", ".ssv")
    ),
    "matrix_market": Format("matrix_market", "read", (".mtx", ".mm")),
    "metis": Format("metis", "read", (".graph", ".metis")),
    "npz": Format("npz", "read", (".npz",)),
    "arrow": Format("arrow", "read", (".parquet", ".pq", ".arrow", ".feather", ".ipc")),
    "graphml": Format("networkx_formats", "read_graphml", (".graphml",)),
    "gml": Format("networkx_formats", "read_gml", (".gml",)),
}
_BY_SUFFIX = {suffix: name for name, form in FORMATS.items() for suffix in form.suffixes}


def _choose(source: PathLike | BinaryIO, form: str | None) -> tuple[str, ModuleType]:
    if form is None:
        suffix = split_suffix(source_name(source))[0]
        if suffix not in _BY_SUFFIX:
            raise ValueError(
                f"format must be given for the suffix {suffix!r} of {source_name(source)!r}; "
                f"formats: {', '.join(FORMATS)}; suffixes: {' '.join(_BY_SUFFIX)}, "
                "each but npz and Arrow with .gz, .bz2 or .zst behind it"
            )
        form = _BY_SUFFIX[suffix]
    check_choice("format", form, FORMATS)
    if form in ("npz", "arrow") and split_suffix(source_name(source))[1]:
        raise ValueError(
            f"files of the format {form!r} compress inside, got {source_name(source)!r}"
        )
    return form, importlib.import_module(f"graphsparse.io.{FORMATS[form].module}")


def read_graph(
    path: PathLike | BinaryIO,
    *,
    format: str | None = None,  # noqa: A002
    **options: Unpack[ReadKeywords],
) -> Graph:
    """Read a graph from a file.

    Parameters
    ----------
    path : path or binary file
        The suffix tells the format, and the compression (.gz, .bz2, .zst).
    format : str, optional
        One of :data:`FORMATS`; by suffix when left out.
    **options
        The fields of :class:`ReadOptions`: ``directed``, ``num_nodes``, ``duplicates``,
        ``self_loops``, ``negative`` for every format; ``weight``, ``columns``, ``delimiter``,
        ``header``, ``comments``, ``base``, ``ids``, ``relabel``, ``id_map`` where they mean
        something.

    Returns
    -------
    Graph
        Text weights are float64.

    Raises
    ------
    GraphFormatError
        If the file is no whole graph; the message tells file, line, what was expected and what
        came.  Nothing is repaired unless an option asks for it.
    ValueError, TypeError
        If an option is wrong or means nothing to the format.

    Notes
    -----
    Text is read in pieces: beside the result, memory holds 8 bytes per edge (16 more with
    weights).  No header is believed before the file has borne it out.

    Examples
    --------
    >>> import io
    >>> read_graph(io.BytesIO(b"0 1\\n1 2\\n"), format="edge_list").num_edges
    2
    """
    return read_graph_with_report(path, format=format, **options)[0]


def read_graph_with_report(
    path: PathLike | BinaryIO,
    *,
    format: str | None = None,  # noqa: A002
    **options: Unpack[ReadKeywords],
) -> tuple[Graph, ReadReport]:
    """Read a graph as :func:`read_graph` does, and tell what was found and done.

    Returns
    -------
    (Graph, ReadReport)
        The report counts rows, comments, merged duplicates and dropped loops, and tells what
        decided the directedness.
    """
    form, module = _choose(path, format)
    checked = make_options(options, form, module.OPTIONS)
    graph, done = getattr(module, FORMATS[form].reader)(path, checked)
    return graph, ReadReport(path=source_name(path), format=form, **done)


def iter_edge_batches(
    path: PathLike | BinaryIO,
    *,
    batch_rows: int = 1 << 20,
    format: str | None = None,  # noqa: A002
    **options: Unpack[ReadKeywords],
) -> Iterator[tuple[Array, Array, Array | None]]:
    """Yield the entries of a file in batches, for files larger than memory.

    Parameters
    ----------
    batch_rows : int
        Entries of each batch but the last.
    path, format, **options
        As for :func:`read_graph`.  Entries come as the file lists them: the policies for
        duplicates, loops and signs are the caller's, and names cannot be numbered.

    Yields
    ------
    (u, v, weights) : arrays of shape (batch_rows,)
        Node ids from 0, int32 where they fit, and weights or None.
    """
    check_count("batch_rows", batch_rows, low=1)
    form, module = _choose(path, format)
    if not hasattr(module, "stream"):
        raise ValueError(f"format must be one that streams, not {form!r}: it is read as a whole")
    forbidden = {"duplicates", "self_loops", "negative", "directed", "relabel", "id_map"}
    for name in forbidden & options.keys():
        raise ValueError(f"option {name!r} needs the whole file: read_graph has it")
    checked = make_options(options, form, module.OPTIONS)
    return rebatch(module.stream(path, checked), batch_rows)


def write_graph(
    graph: Graph,
    path: PathLike,
    *,
    format: str | None = None,  # noqa: A002
) -> None:
    """Write a graph to a file, under its name only once it is whole.

    Parameters
    ----------
    graph : Graph
        What a format cannot hold is a ValueError, not left out.
    path : path
        The suffix tells the format and the compression.
    format : str, optional
        One of :data:`FORMATS`; by suffix when left out.
    """
    if not isinstance(graph, Graph):
        raise TypeError(f"graph must be a Graph, got {type(graph).__name__}")
    graph.require_host("write_graph")
    _, module = _choose(path, format)
    module.write(graph, path)


__all__ = [
    "FORMATS",
    "ReadKeywords",
    "ReadOptions",
    "ReadReport",
    "atomic_write",
    "iter_edge_batches",
    "read_graph",
    "read_graph_with_report",
    "read_id_map",
    "write_graph",
    "write_id_map",
    "write_vectors",
]
