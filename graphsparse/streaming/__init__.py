"""Graphs that change: batches of updates, streams of them, and a sparsifier that follows."""

from graphsparse.streaming.amud import AmudTracker, TrackerReport
from graphsparse.streaming.batch import EdgeBatch
from graphsparse.streaming.consumers import DegreeStatistics, Directions, Embedding, Refresh
from graphsparse.streaming.dygrass import DynamicSparsifier
from graphsparse.streaming.event_window import EventWindow
from graphsparse.streaming.fastrp import FastRPStream, FastRPUpdate
from graphsparse.streaming.files import read_stream
from graphsparse.streaming.maintenance import Repair, StoreVersion, Verification
from graphsparse.streaming.options import DygrassOptions, paper
from graphsparse.streaming.recovery import Finding, Recovery
from graphsparse.streaming.report import BatchReport
from graphsparse.streaming.run import Consumer, InMemory, Step, StreamRun
from graphsparse.streaming.sources import Piece, Reject, Source, open_source
from graphsparse.streaming.store import Store
from graphsparse.streaming.teddy import TeddyStream
from graphsparse.streaming.windows import Events, read_events, sliding_window

__all__ = [
    "AmudTracker",
    "BatchReport",
    "Consumer",
    "DegreeStatistics",
    "Directions",
    "DygrassOptions",
    "DynamicSparsifier",
    "EdgeBatch",
    "Embedding",
    "EventWindow",
    "Events",
    "FastRPStream",
    "FastRPUpdate",
    "Finding",
    "InMemory",
    "Piece",
    "Recovery",
    "Refresh",
    "Reject",
    "Repair",
    "Source",
    "Step",
    "Store",
    "StoreVersion",
    "StreamRun",
    "TeddyStream",
    "TrackerReport",
    "Verification",
    "open_source",
    "paper",
    "read_events",
    "read_stream",
    "sliding_window",
]
