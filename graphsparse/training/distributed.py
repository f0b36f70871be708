"""Data-parallel training: processes that hold the same weights and share each batch out.

Gradients go over the wire as one flat buffer, so that models stay what they are (no wrapper).
A single process passes through here unchanged.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from graphsparse.errors import GraphsparseError
from graphsparse.training.shared_norm import share_batch_norm

# How long a replica waits for the first, which loads and evaluates alone; torchrun ends replicas
# whose peers have died at once.
PATIENCE = datetime.timedelta(hours=12)


class ReplicaError(GraphsparseError, RuntimeError):
    """Replicas that must be equal differ."""


class Replicas:
    """The processes of one training, and the place of this one among them.

    Parameters
    ----------
    rank, size : int
        This process, and how many there are.  With more than one, ``torch.distributed`` must have
        been set up: :func:`launched` does it.

    Notes
    -----
    Order of the data and false pairs come from torch's generator, which all replicas hold in the
    same state.  What a replica draws for its own rows, dropout, comes from a stream of the seed,
    the epoch and the rank: see :meth:`own_draws`.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size
        self._stream = torch.get_rng_state()
        self._normalized = False

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def bounds(self, count: int) -> tuple[int, int]:
        """Return where this replica's part of so many items begins and ends.

        Raises
        ------
        ValueError
            If a replica would have none of them and the model has batch normalisation.
        """
        if count < self.size and self._normalized:
            raise ValueError(
                f"batches must have an item for each of {self.size} replicas, as the model has "
                f"batch normalisation, got {count}"
            )
        part, more = divmod(count, self.size)
        start = self.rank * part + min(self.rank, more)
        return start, start + part + (self.rank < more)

    def shard(self, items: Tensor) -> Tensor:
        """Return this replica's part of the items, in order."""
        start, stop = self.bounds(len(items))
        return items[start:stop]

    def start(self, model: nn.Module) -> None:
        """Give all replicas the weights of the first; batch normalisation sees whole batches."""
        if self.size == 1:
            return
        for tensor in model.state_dict().values():
            dist.broadcast(tensor, 0)
        self._normalized = share_batch_norm(model)

    def start_epoch(self, epoch: int) -> None:
        """Begin this replica's own draws of an epoch."""
        if self.size == 1:
            return
        name = f"{torch.initial_seed()} {epoch} {self.rank}".encode()
        seed = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little") >> 1
        self._stream = torch.Generator().manual_seed(seed).get_state()
        if torch.cuda.is_available():
            torch.cuda.manual_seed(seed)

    @contextlib.contextmanager
    def own_draws(self) -> Iterator[None]:
        """Draw from this replica's stream within; the generator that all share stays as it is."""
        if self.size == 1:
            yield
            return
        common = torch.get_rng_state()
        torch.set_rng_state(self._stream)
        try:
            yield
        finally:
            self._stream = torch.get_rng_state()
            torch.set_rng_state(common)

    def descend(self, parameters: Iterable[nn.Parameter], loss: Tensor | None, count: int) -> float:
        """Make the gradients of a batch's mean loss; return that loss.

        Parameters
        ----------
        parameters : iterable of Parameter
            Get the gradients of the whole batch, on all replicas alike; those without a gradient
            on any replica get none.
        loss : Tensor, optional
            Mean over this replica's items; None if it has none.
        count : int
            How many it has.
        """
        number = 0.0 if loss is None else float(loss.detach())
        if self.size == 1:
            if loss is not None:
                loss.backward()
            return number
        if loss is not None:
            (loss * count).backward()
        return self._reduce(parameters, number * count if count else 0.0, count)

    def average(self, parameters: Iterable[nn.Parameter], loss: float, count: int) -> float:
        """Turn gradients of each replica's mean loss into those of the mean over all; return it.

        Parameters
        ----------
        parameters, loss, count
            As in :meth:`descend`, with the gradients there already.
        """
        if self.size == 1:
            return loss
        trained = list(parameters)
        for parameter in trained:
            if parameter.grad is not None:
                parameter.grad *= count
        return self._reduce(trained, loss * count, count)

    def _reduce(self, parameters: Iterable[nn.Parameter], total: float, count: int) -> float:
        """Turn gradients of sums into those of the mean over the items of all replicas."""
        trained = [p for p in parameters if p.requires_grad]
        parts = [(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in trained]
        has = [float(p.grad is not None) for p in trained]
        flat = torch.cat([*parts, parts[0].new_tensor([*has, total, float(count)])])
        dist.all_reduce(flat)
        *has, total, items = flat[-len(has) - 2 :].tolist()
        at = 0
        for parameter, there in zip(trained, has, strict=True):
            part = flat[at : at + parameter.numel()].view_as(parameter) / items
            parameter.grad = part.to(parameter.dtype) if there else None
            at += parameter.numel()
        return total / items

    def agree(self, make: Callable[[], Any]) -> Any:
        """Return to all what ``make`` returns to the first, something that JSON can hold.

        The others do not call it; they wait.
        """
        if self.size == 1:
            return make()
        text = json.dumps(make()).encode() if self.is_first else b""
        length = torch.tensor([len(text)])
        dist.broadcast(length, 0)
        data = torch.zeros(int(length), dtype=torch.uint8)
        if self.is_first:
            data = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        dist.broadcast(data, 0)
        return json.loads(bytes(data.numpy()))

    def after_first(self, make: Callable[[], Any]) -> Any:
        """Return what ``make`` returns here; the others call it when the first is done."""
        if self.is_first:
            made = make()
            self.agree(lambda: None)
            return made
        self.agree(lambda: None)
        return make()

    def check_same(self, what: str, tensors: Mapping[str, Tensor]) -> str:
        """Return a hash of tensors that all replicas must hold alike.

        Raises
        ------
        ReplicaError
            If they do not.
        """
        own = fingerprint(tensors)
        if self.size == 1:
            return own
        mine = torch.frombuffer(bytearray.fromhex(own), dtype=torch.uint8)
        found = [torch.zeros_like(mine) for _ in range(self.size)]
        dist.all_gather(found, mine)
        hashes = [bytes(item.numpy()).hex() for item in found]
        if len(set(hashes)) > 1:
            raise ReplicaError(f"{what} must be the same on all replicas, got hashes {hashes}")
        return own


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """Return a hash of every bit of some tensors, 32 hexadecimal digits."""
    total = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        values = tensors[name].detach().cpu().contiguous()
        array = values.view(torch.uint8).numpy() if values.dim() else values.numpy()
        bits = np.packbits(array) if values.dtype == torch.bool else array
        total.update(f"{name} {tuple(values.shape)}".encode() + bits.tobytes())
    return total.hexdigest()


@contextlib.contextmanager
def launched(device: str = "cpu") -> Iterator[Replicas]:
    """Yield the replicas that ``torchrun`` has started, a single one without it.

    Parameters
    ----------
    device : str
        ``"cpu"`` talks through gloo; ``"cuda"`` through NCCL, and takes the GPU of the local rank.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Replicas()
        return
    if device.startswith("cuda"):
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
    dist.init_process_group(backend, timeout=PATIENCE)
    try:
        yield Replicas(dist.get_rank(), size)
    finally:
        dist.destroy_process_group()
