"""What loading a large set takes, told before it is tried."""

from __future__ import annotations

from pathlib import Path

from graphsparse.errors import DatasetTooLargeError

# Nodes, arcs as stored, features of a node and of an arc; all graphs of a set together.  From the
# tables of ogb.stanford.edu.
_SIZES = {
    "ogbn-arxiv": (169_343, 1_166_243, 128, 0),
    "ogbn-mag": (1_939_743, 21_111_007, 49, 0),  # of 128 features, which only papers have
    "ogbn-papers100M": (111_059_956, 1_615_685_872, 128, 0),
    "ogbn-products": (2_449_029, 123_718_280, 100, 0),
    "ogbn-proteins": (132_534, 79_122_504, 0, 8),
    "ogbl-biokg": (93_773, 5_088_434, 0, 0),
    "ogbl-citation2": (2_927_963, 30_561_187, 128, 0),
    "ogbl-collab": (235_868, 2_358_104, 128, 2),
    "ogbl-ddi": (4_267, 2_135_822, 0, 0),
    "ogbl-ppa": (576_289, 42_463_862, 58, 0),
    "ogbl-vessel": (3_538_495, 5_345_897, 3, 0),
    "ogbl-wikikg2": (2_500_604, 17_137_181, 0, 1),
    "ogbg-code2": (56_683_173, 56_230_432, 2, 2),
    "ogbg-molpcba": (11_386_154, 24_611_610, 9, 3),
    "ogbg-ppa": (38_481_540, 716_540_820, 1, 7),
}
_SHOWN = 1 << 30


def memory_of(name: str, *, mapped: bool = False) -> int | None:
    """Return the bytes that loading a set takes at its peak; None below 1 GiB or where unknown.

    Parameters
    ----------
    name : str
        Of an OGB set.
    mapped : bool
        Features and arcs stay in files.

    Notes
    -----
    The loader holds its arrays twice when it first converts them (8 bytes per id of an arc, 4 per
    feature); a :class:`~graphsparse.Graph` is built from them with up to 24 bytes per arc and 16
    per node.
    """
    if name not in _SIZES:
        return None
    nodes, arcs, node_width, arc_width = _SIZES[name]
    stored = 4 * nodes * node_width + arcs * (16 + 4 * arc_width)
    peak = (0 if mapped else 2 * stored) + 24 * arcs + 16 * nodes
    return peak if peak >= _SHOWN else None


def check_memory(name: str, needed: int | None) -> None:
    """Refuse to load a set that does not fit.

    Raises
    ------
    DatasetTooLargeError
        If the set needs more than the machine has free.
    """
    free = free_memory()
    if needed is None or free is None or needed <= free:
        return
    raise DatasetTooLargeError(
        f"loading {name} takes about {needed / 2**30:.1f} GiB of memory, "
        f"{free / 2**30:.1f} GiB are free; use a machine with more, or check_memory=False to try"
    )


def free_memory() -> int | None:
    """Return the bytes that the machine can give without swapping, or None where it does not say.

    The limit of a container counts where there is one; pages of files that nobody uses are free.
    """
    info = Path("/proc/meminfo")
    if not info.is_file():
        return None
    fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    free = int(fields["MemAvailable"].split()[0]) * 1024
    return min(free, _free_of_container(free))


def _free_of_container(free: int, group: Path = Path("/sys/fs/cgroup")) -> int:
    """Return what the limit of a container leaves; ``free`` where there is none."""
    names = ("memory.max", "memory.current", "memory.stat")
    if not all((group / name).is_file() for name in names):
        return free
    limit, used, stat = ((group / name).read_text() for name in names)
    if limit.strip() == "max":
        return free
    cached = dict(line.split() for line in stat.splitlines()).get("inactive_file", "0")
    return max(int(limit) - int(used) + int(cached), 0)
