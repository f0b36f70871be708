"""Models with the weights of the published vectors, shared by several test files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphsparse import Hypergraph
from graphsparse.models import CoNHD

FOLDER = Path(__file__).parents[1] / "vectors" / "conhd"
MODELS = sorted(p.stem for p in FOLDER.glob("*.npz") if not p.stem.startswith("train"))
TRACES = sorted(p.stem for p in FOLDER.glob("train_*.npz"))


def load(name: str) -> dict[str, Any]:
    """Return the arrays of a file, ``config`` decoded."""
    with np.load(FOLDER / f"{name}.npz") as stored:
        arrays = {key: stored[key] for key in stored.files}
    arrays["config"] = json.loads(str(arrays["config"]))
    return arrays


def hypergraph(arrays: dict[str, Any]) -> Hypergraph:
    """Return the structure; nodes without incidences are in."""
    return Hypergraph(arrays["node"], arrays["edge"], len(arrays["x"]))


def weights(arrays: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return the state_dict of our model: theirs has no prefix where layers are shared."""
    found = {}
    for key, value in arrays.items():
        if not key.startswith("w:"):
            continue
        name = key[2:]
        if name.startswith("layers."):
            name = "convs." + name.removeprefix("layers.")
        elif not name.startswith(("in_proj", "head")):
            name = "convs.0." + name
        found[name] = torch.from_numpy(value)
    return found


def build(arrays: dict[str, Any], **options: Any) -> CoNHD:
    """Return the model of a file in float64, dropout 0."""
    config = arrays["config"]
    logits = arrays["logits"].shape[1] if "logits" in arrays else int(arrays["y"].max()) + 1
    sizes = [w.shape[0] for k, w in arrays.items() if k == "w:head.0.weight"]
    model = CoNHD(
        arrays["x"].shape[1],
        len(arrays["w:in_proj.bias"]),
        logits,
        config["layers"],
        share_layers=config.get("share_layers", True),
        dropout=0.0,
        head_layers=config.get("head_layers", 1),
        head_dim=sizes[0],
        operator=config["operator"].lower(),
        mode=config.get("mode", "GD").lower(),
        blocks=config.get("blocks_per_operator", 2),
        heads=config.get("heads", 1),
        inducing=config.get("inducing", 1),
        layer_norm=config.get("layer_norm", False),
        pe_dim=arrays["pe"].shape[1] if "pe" in arrays else 0,
        within_edge_mean=config.get("within_edge_mean", False),
        within_node_mean=config.get("within_node_mean", False),
        **options,
    ).double()
    model.load_state_dict(weights(arrays))
    return model


def inputs(arrays: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return x and pe."""
    pe = arrays.get("pe")
    return torch.from_numpy(arrays["x"]), None if pe is None else torch.from_numpy(pe)
