"""Two processes under torchrun train as one does: curves, masks, resuming, refusals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
import replicated

from graphsparse.training.distributed import Replicas, fingerprint, launched

pytestmark = pytest.mark.slow
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
SAME = ["sampled", "scheduled", "small batches", "rows", "all rows", "graphs", "links"]
RECIPE = """
[data]
name = "digits"
[model]
name = "sage"
hidden = 16
dropout = 0.0
[train]
epochs = 40
batch_size = 101
fanouts = [5, 5]
checkpoint_every = 5
deterministic = true
[weights]
keep = 0.25
"""


def environment() -> dict[str, str]:
    path = str(Path(__file__).parents[1])
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two replicas found."""
    folder = tmp_path_factory.mktemp("replicas")
    command = [*TORCHRUN, replicated.__file__, str(folder)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize("name", SAME)
def test_curves_and_masks_are_those_of_one_process(both: list[Any], name: str) -> None:
    one = replicated.outcome(name, Replicas())
    for found in (found[name] for found in both):
        assert found["loss"] == pytest.approx(one["loss"], abs=1e-5)
        assert found["masks"] == one["masks"]
        assert 0.28 < found["kept"] < 0.5


@pytest.mark.parametrize("name", list(replicated.CASES))
def test_replicas_are_equal_bit_for_bit(both: list[Any], name: str) -> None:
    assert both[0][name] == both[1][name]


def test_resumed_replicas_end_with_the_same_bits(both: list[Any]) -> None:
    for found in both:
        whole = found["with dropout"]
        assert found["resumed"] == {key: whole[key] for key in ("loss", "weights")}


def test_replicas_that_come_apart_are_told(both: list[Any]) -> None:
    for found in both:
        wanted = "epoch 1: masks of projection must be the same on all replicas, got hashes ["
        assert found["come apart"].startswith(wanted)


def test_what_cannot_be_shared_out_is_refused(both: list[Any]) -> None:
    for found in both:
        said = found["refused"]
        assert said["full batch"] == "batch_size must be above 0 with several replicas, got 0"
        assert "an item for each of 2 replicas, as the model has batch norm" in said["tiny batch"]
        assert said["not finite"] == "loss must be finite, got nan in epoch 1"


def test_shards_cover_a_batch_and_one_process_shares_nothing() -> None:
    for count in range(12):
        for size in range(1, 6):
            parts = [Replicas(rank, size).shard(torch.arange(count)) for rank in range(size)]
            assert torch.equal(torch.cat(parts), torch.arange(count))
            assert max(map(len, parts)) - min(map(len, parts)) <= 1
    with launched() as alone:
        assert (alone.rank, alone.size, alone.agree(lambda: {"a": 1})) == (0, 1, {"a": 1})


def test_fingerprints_see_every_bit() -> None:
    one = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([True, False]), "n": torch.tensor(3)}
    assert fingerprint(one) == fingerprint(dict(reversed(one.items())))
    for name, other in (("a", [1.0, -2.0]), ("b", [False, False]), ("n", 4)):
        assert fingerprint({**one, name: torch.tensor(other)}) != fingerprint(one)


def command(recipe: Path, out: Path) -> list[str]:
    options = ["--save-weights", "--resume", "--json", "--out", str(out)]
    return ["-m", "graphsparse", "train", str(recipe), *options]


def weights(folder: Path) -> bytes:
    (path,) = folder.glob("*.weights.safetensors")
    assert sorted(file.suffix for file in folder.iterdir()) == [".json", ".safetensors"]
    return path.read_bytes()


def test_the_command_writes_once_and_resumes_after_a_kill(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)

    def run(launcher: list[str], folder: str) -> Any:
        whole = [*launcher, *command(recipe, tmp_path / folder)]
        done = subprocess.run(whole, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["runs"][0], done.stderr  # stdout: one object, of one process

    one, _ = run([sys.executable], "one")
    two, _ = run(TORCHRUN, "two")
    for key in ("test", "val", "best_epoch", "weights_kept", "epochs"):
        assert one[key] == two[key]
    killed = subprocess.Popen(
        [*TORCHRUN, *command(recipe, tmp_path / "killed")], env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not list((tmp_path / "killed").glob("*.ckpt.safetensors")) and killed.poll() is None:
        time.sleep(0.01)
    workers = Path(f"/proc/{killed.pid}/task/{killed.pid}/children").read_text().split()
    for pid in workers:
        os.kill(int(pid), signal.SIGKILL)
    assert killed.wait() != 0
    rest, err = run(TORCHRUN, "killed")
    assert err.count("going on after epoch") == 1
    assert rest["test"] == two["test"]
    assert weights(tmp_path / "killed") == weights(tmp_path / "two")
