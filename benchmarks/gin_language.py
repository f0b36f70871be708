"""A small character-level language model: GIN-attention against standard attention; adapters.

    python benchmarks/gin_language.py                          # 2 seeds, 500 steps, 4 CPU minutes
    python benchmarks/gin_language.py --steps 200 --seeds 0    # a look

Writes benchmarks/results/gin_language.json and docs/results/gin_language.md.

Text: the source of Python's standard library for training from scratch (one file in ten is for
testing), graphsparse's own C++ and CUDA sources for fine-tuning.  Standard attention and
GINSelfAttention stand in the same decoder; the hidden width of the feed-forward part makes their
parameters equal within 1 %.  Fine-tuning of the standard decoder: Sparse-GIN adapter in the causal
and in the published orientation, and LoRA on queries and values, with equal trainable parameters
within 2 %.  Perplexity per character on the test files; gap = test loss - training loss.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import statistics
import sysconfig
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from harness import RESULTS, ROOT, write_result
from torch import Tensor, nn

from graphsparse.backend import cuda_sources
from graphsparse.models import AttentionGraph, GINSelfAttention, SparseGINAdapter
from graphsparse.training import set_seed

CHARACTERS = 128  # ASCII; all else is one of them, 0
LENGTH, DIM, HEADS, LAYERS, BATCH = 128, 128, 4, 4, 8


def encode(files: list[Path]) -> Tensor:
    """Return the characters of files, one after another."""
    parts = [path.read_bytes() for path in files]
    text = torch.tensor(bytearray(b"\0".join(parts)), dtype=torch.uint8).long()
    return torch.where(text < CHARACTERS, text, 0)


def texts() -> dict[str, tuple[Tensor, Tensor]]:
    """Return (train, test) of the standard library and of our native sources."""
    library = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    native = sorted(p for p in cuda_sources().rglob("*") if p.suffix in {".hpp", ".cu", ".cuh"})
    found = {}
    for name, files in (("python", library), ("native", native)):
        test = files[::10]
        found[name] = encode([f for f in files if f not in test]), encode(test)
    return found


class Attention(nn.Module):
    """Either kind of attention; returns (output, probabilities or None)."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        standard = {"mlp": None, "value_proj": True, "out_proj": True, "train_eps": False}
        options: dict[str, Any] = standard if kind == "standard" else {"mlp_ratio": 0.5}
        self.inner = GINSelfAttention(DIM, HEADS, **options)
        self.with_map = False

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the new states, and the map where it was asked for."""
        if self.with_map:
            return self.inner(x, return_attention=True)
        return self.inner(x), None


class Layer(nn.Module):
    """Attention and a feed-forward part, each behind a norm and beside a skip."""

    def __init__(self, kind: str, hidden: int) -> None:
        super().__init__()
        self.attention = Attention(kind)
        self.norms = nn.ModuleList(nn.LayerNorm(DIM) for _ in range(2))
        self.mlp = nn.Sequential(nn.Linear(DIM, hidden), nn.SiLU(), nn.Linear(hidden, DIM))

    def forward(self, x: Tensor) -> Tensor:
        """Return the states after the layer."""
        x = x + self.attention(self.norms[0](x))[0]
        return x + self.mlp(self.norms[1](x))


class Decoder(nn.Module):
    """A decoder over characters."""

    def __init__(self, kind: str, hidden: int) -> None:
        super().__init__()
        self.config = types.SimpleNamespace(hidden_size=DIM, num_attention_heads=HEADS)
        self.embedding = nn.Embedding(CHARACTERS, DIM)
        self.layers = nn.ModuleList(Layer(kind, hidden) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(DIM)
        self.head = nn.Linear(DIM, CHARACTERS, bias=False)

    def forward(self, text: Tensor) -> Tensor:
        """Return the logits of the next characters."""
        x = self.embedding(text)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


class LoRA(nn.Module):
    """``W x + B A x`` with a frozen ``W``."""

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.linear = linear
        self.down = nn.Parameter(torch.randn(rank, linear.in_features) / linear.in_features**0.5)
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Return the mapped states."""
        return self.linear(x) + F.linear(F.linear(x, self.down), self.up)


def count(parameters: Any) -> int:
    """Return how many numbers are trained."""
    return sum(p.numel() for p in parameters if p.requires_grad)


def equal_decoders() -> dict[str, Callable[[], Decoder]]:
    """Return makers of both decoders with equal parameters."""
    hidden = 2 * DIM
    wanted = count(Decoder("standard", hidden).parameters())
    per_unit = LAYERS * (2 * DIM + 1)
    more = round((wanted - count(Decoder("gin", hidden).parameters())) / per_unit)
    return {
        "standard": lambda: Decoder("standard", hidden),
        "gin": lambda: Decoder("gin", hidden + more),
    }


def windows(text: Tensor, generator: torch.Generator) -> Tensor:
    """Return a batch of random windows, one character longer than the context."""
    start = torch.randint(0, len(text) - LENGTH - 1, (BATCH,), generator=generator)
    return text[start[:, None] + torch.arange(LENGTH + 1)]


def loss_of(model: nn.Module, batch: Tensor) -> Tensor:
    """Return the cross-entropy per character."""
    logits = model(batch[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())


@torch.no_grad()
def evaluate(model: nn.Module, text: Tensor, batches: int = 24) -> float:
    """Return the mean loss on fixed windows of a text."""
    model.eval()
    generator = torch.Generator().manual_seed(99)
    return statistics.fmean(float(loss_of(model, windows(text, generator))) for _ in range(batches))


def fit(
    model: nn.Module, parameters: Any, text: tuple[Tensor, Tensor], steps: int, lr: float, seed: int
) -> dict[str, float]:
    """Train and return loss, perplexity and gap."""
    trained = [p for p in parameters if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1.0, (s + 1) / 50))
    generator = torch.Generator().manual_seed(seed)
    start = time.process_time()
    for _ in range(steps):
        model.train()
        optimizer.zero_grad()
        loss_of(model, windows(text[0], generator)).backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
    spent = time.process_time() - start
    train, test = (evaluate(model, part) for part in text)
    return {
        "parameters": count(trained),
        "perplexity": math.exp(test),
        "train_loss": train,
        "test_loss": test,
        "gap": test - train,
        "cpu_seconds": round(spent, 1),
    }


def adapted(base: Decoder, kind: str, rank: int) -> tuple[nn.Module, list[nn.Parameter]]:
    """Return a copy of a decoder with something to fine-tune, and its parameters."""
    model = copy.deepcopy(base)
    if kind == "lora":
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        for layer in model.layers:
            inner = layer.attention.inner
            inner.queries[0] = LoRA(inner.queries[0], rank)
            inner.value = LoRA(inner.value, rank)
        return model, list(model.parameters())
    for layer in model.layers:
        layer.attention.with_map = True
    width = adapter_width(rank)
    graph = AttentionGraph(orientation=kind)
    adapter = SparseGINAdapter(model, width=width, graph=graph, scale_first=0.5)
    return adapter, list(adapter.parameters())


def adapter_width(rank: int) -> int:
    """Return the width whose adapter has the parameters of LoRA of a rank, nearly."""
    wanted = 4 * rank * DIM  # queries and values of a layer
    sizes = {w: 2 * w * DIM + 2 * w * w + 3 * w + 2 * DIM + 3 for w in range(1, DIM)}
    return min(sizes, key=lambda w: abs(sizes[w] - wanted))


def summary(runs: list[dict[str, float]]) -> dict[str, float]:
    """Return mean and deviation over the seeds."""
    found: dict[str, float] = {"runs": len(runs)}
    for key in runs[0]:
        values = [run[key] for run in runs]
        found[key] = round(statistics.fmean(values), 4)
        if len(values) > 1 and key in ("perplexity", "gap"):
            found[f"{key}_std"] = round(statistics.stdev(values), 4)
    return found


def measure(args: argparse.Namespace) -> None:
    """Train from scratch, fine-tune, write the result file."""
    torch.set_num_threads(1)
    data = texts()
    runs: dict[str, list[dict[str, float]]] = {}
    for seed in args.seeds:
        base = None
        for name, make in equal_decoders().items():
            set_seed(seed)
            model = make()
            run = fit(model, model.parameters(), data["python"], args.steps, 1e-3, seed)
            runs.setdefault(f"from scratch: {name}", []).append(run)
            print(seed, name, run, flush=True)
            base = model if name == "standard" else base
        before = evaluate(base, data["native"][1])
        print(seed, "before fine-tuning", math.exp(before), flush=True)
        for kind in ("causal", "reference", "lora"):
            set_seed(seed)
            model, parameters = adapted(base, kind, args.rank)
            run = fit(model, parameters, data["native"], args.tune_steps, 2e-3, seed)
            run["perplexity_before"] = math.exp(before)
            runs.setdefault(f"fine-tuning: {kind}", []).append(run)
            print(seed, kind, run, flush=True)
    figures = {name: summary(found) for name, found in runs.items()}
    sizes = {"characters": {name: [len(t) for t in both] for name, both in data.items()}}
    write_result("gin_language", {**vars(args), **sizes, **figures})


PAGE = """# Language model with GIN-attention

Made by `python benchmarks/gin_language.py`; figures and sizes stand in
`benchmarks/results/gin_language.json`.

A decoder over characters: {layers} layers, width {dim}, {heads} heads, {length} characters of
context, {batch} windows a step, {seeds} seed(s): mean ± sample standard deviation. Perplexity
per character on files that were not trained on; gap = test loss - training loss, both on fixed
windows without dropout. A small model, trained for minutes: differences say what happens at this
size, no more.

## From scratch

{steps} steps (AdamW, rate 1e-3) on the source of Python's standard library ({python:,}
characters). Parameters are made equal by the width of the feed-forward part.

| attention | parameters | perplexity | gap | CPU s |
|---|---:|---:|---:|---:|
{scratch}
## Fine-tuning

The standard decoder, frozen, {tune} steps (rate 2e-3) on graphsparse's own native sources
({native:,} characters). "causal" is our Sparse-GIN adapter, "reference" the published orientation,
whose messages never leave their token, "lora" acts on queries and values. Before: the decoder as
it was.

| adapter | trained parameters | perplexity before | perplexity | gap | CPU s |
|---|---:|---:|---:|---:|---:|
{tuned}"""


def page(record: dict[str, Any]) -> str:
    """Return the page of a result file."""
    rows: dict[str, list[str]] = {"from scratch": [], "fine-tuning": []}
    for name, found in record.items():
        part, _, kind = name.partition(": ")
        if not kind:
            continue
        shown = []
        for key in ("perplexity", "gap"):
            spread = f" ± {found[f'{key}_std']:.3f}" if f"{key}_std" in found else ""
            shown.append(f"{found[key]:.3f}{spread}")
        before = [f"{found['perplexity_before']:.3f}"] if part == "fine-tuning" else []
        cells = [
            kind,
            f"{found['parameters']:,.0f}",
            *before,
            *shown,
            f"{found['cpu_seconds']:.0f}",
        ]
        rows[part].append(f"| {' | '.join(cells)} |\n")
    return PAGE.format(
        layers=LAYERS, dim=DIM, heads=HEADS, length=LENGTH, batch=BATCH, steps=record["steps"],
        tune=record["tune_steps"], seeds=len(record["seeds"]),
        scratch="".join(rows["from scratch"]), tuned="".join(rows["fine-tuning"]),
        python=record["characters"]["python"][0],
        native=record["characters"]["native"][0],
    )  # fmt: skip


def main() -> None:
    """Train from scratch, fine-tune, write; or only make the page again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--tune-steps", type=int, default=100)
    parser.add_argument("--seeds", type=lambda s: [int(x) for x in s.split(",")], default=[0, 1])
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--page", action="store_true", help="only write the page anew")
    args = parser.parse_args()
    if not args.page:
        measure(args)
    record = json.loads((RESULTS / "gin_language.json").read_text())
    (ROOT / "docs" / "results" / "gin_language.md").write_text(page(record))


if __name__ == "__main__":
    main()
