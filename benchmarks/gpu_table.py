"""A short table of what the GPU benchmarks found, from benchmarks/results/gpu-*.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def walks(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    local, long = r["local_stream"], r["long_walks"]
    return [
        ("walk steps / s", f"{long['steps_per_s']:.3g}", ">= 1e9"),
        ("  against CPU, 2 threads", f"{long['speedup']} x", ">= 10 x"),
        (f"stream of {local['insertions']:,} edges", f"{local['gpu_s']} s", "< 0.3 s"),
        ("  its walks and transfers", f"{local['gpu_walks_and_transfers_s']} s", ""),
        ("  against CPU, 2 threads", f"{local['speedup_of_the_batch']} x", ">= 10 x"),
    ]


def teddy(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    for name, target in (("scores", ""), ("scores_selection_and_filter", ">= 0.4")):
        part = r[name]
        found = f"{part['ms']} ms, {part['share_of_copy_bandwidth']} of copy"
        rows.append((f"TEDDY {name}, {r['pairs']:,} pairs", found, target))
    return rows


def l0(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (
            f"l0 keep {case['keep']} of {case['weights']:,}",
            f"{case['ms']} ms (topk {case['torch_topk_ms']} ms)",
            "",
        )
        for case in r["cases"]
    ]


def fastrp(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        ("FastRP power", f"{r['power_ms']} ms", "<= 3 ms"),
        ("  against cuSPARSE + normalisation", f"{r['speedup_over_cusparse']} x", ">= 2 x"),
    ]


def segment(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (f"group {name}, {r['rows']:,} rows", f"{r[name]['kernels_ms']} ms", "")
        for name in ("update", "pool", "read")
    ]


def edge_attention(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    for part, target in (("forward", ">= 3 x"), ("forward_backward", ">= 3 x")):
        rows.append((f"GIN-attention, {part}", f"{r['layer'][f'{part}_ms']:.3g} ms", ""))
        rows.append((f"  against {r['compared_with']}", f"{r[f'speedup_{part}']} x", target))
    return rows


def main() -> None:
    """Print the rows of every result that is there."""
    rows: list[tuple[str, str, str]] = [("what", "measured", "wanted")]
    parts = {"walks": walks, "teddy": teddy, "l0": l0, "fastrp": fastrp}
    parts |= {"segment": segment, "edge_attention": edge_attention}
    for name, of in parts.items():
        path = RESULTS / f"gpu-{name}.json"
        if not path.is_file():
            rows.append((name, "no result", ""))
            continue
        record = json.loads(path.read_text())
        rows += of(record)
        peak = record["peak_device_bytes"] / 2**30
        rows.append((f"  peak device memory ({record['gpu']})", f"{peak:.2f} GiB", ""))
    width = max(len(row[0]) for row in rows)
    for what, found, wanted in rows:
        print(f"{what:{width}}  {found:40}  {wanted}")


if __name__ == "__main__":
    main()
