"""Graphs that change: batches of updates, streams of them, and a sparsifier that follows."""

from graphsparse.streaming.batch import EdgeBatch
from graphsparse.streaming.dygrass import DynamicSparsifier
from graphsparse.streaming.options import DygrassOptions, paper
from graphsparse.streaming.report import BatchReport

__all__ = ["BatchReport", "DygrassOptions", "DynamicSparsifier", "EdgeBatch", "paper"]
