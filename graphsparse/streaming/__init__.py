"""Graphs that change: batches of updates, streams of them, and a sparsifier that follows."""

from graphsparse.streaming.batch import EdgeBatch
from graphsparse.streaming.dygrass import DynamicSparsifier
from graphsparse.streaming.fastrp import FastRPStream, FastRPUpdate
from graphsparse.streaming.files import read_stream
from graphsparse.streaming.options import DygrassOptions, paper
from graphsparse.streaming.report import BatchReport
from graphsparse.streaming.windows import Events, read_events, sliding_window

__all__ = [
    "BatchReport",
    "DygrassOptions",
    "DynamicSparsifier",
    "EdgeBatch",
    "Events",
    "FastRPStream",
    "FastRPUpdate",
    "paper",
    "read_events",
    "read_stream",
    "sliding_window",
]
