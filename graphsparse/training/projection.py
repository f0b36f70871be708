"""Projected gradient descent: the l0 projection after every step of any torch optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from graphsparse.checks import check_choice, check_count
from graphsparse.training.device_projection import Pending
from graphsparse.training.l0 import warn_emptied
from graphsparse.training.magnitude import project_later
from graphsparse.training.schedules import Schedule
from graphsparse.training.scopes import Override, Pair, Scope, final_keep
from graphsparse.training.support import mask_, pack, unpack
from graphsparse.training.weights import Tensors, collect


class L0Projection:
    """Keeps the weights of a model on the l0 ball while any ``torch.optim`` optimiser trains it.

    Until it is frozen the support is free: a removed weight goes on receiving gradients and
    momentum, and is back as soon as its stepped value beats the cut.  Parameters stay as they are:
    no masks, no new names in the state_dict.

    Parameters
    ----------
    tensors : Module, or named tensors
        Whose weights; as in :func:`project_l0`.
    keep : float, optional
        Final fraction kept, in (0, 1].  Scope ``"nm"`` takes none.
    scope, nm, block, min_keep_per_layer, overrides, include, input_axis
        As in :func:`project_l0`.
    schedule : {"constant", "linear", "cubic", "rounds"} or Schedule
        How the fraction gets there; with ``start``, ``end``, ``every``, ``rate`` and
        ``initial_keep`` of :class:`Schedule`.  Scope ``"nm"`` has only a start and an interval.
    freeze_after : int, optional
        Step (from 0) whose projection is the last: from then on the support is fixed, gradients
        and moments of removed weights are +0.
    optimizer_state : {"keep", "zero"}
        What happens to the moments of removed weights while the support is free.

    Notes
    -----
    On a GPU a projection of scope "global" is queued and the step does not wait for it: a weight
    that is not finite is reported at a later step, or by :meth:`finish`, and that step's weights
    stay as they were.  With ``every`` above 1 removed weights grow back between two projections;
    call :meth:`finish` before the last evaluation.  A step that a gradient scaler skips is not
    counted.

    Examples
    --------
    >>> model = nn.Linear(4, 2, bias=False)
    >>> optimizer = torch.optim.Adam(model.parameters())
    >>> projection = L0Projection(model, keep=0.25).attach(optimizer)
    >>> model(torch.ones(1, 4)).sum().backward()
    >>> optimizer.step()
    >>> int(model.weight.count_nonzero())
    2
    """

    def __init__(
        self,
        tensors: Tensors,
        keep: float | None = None,
        *,
        scope: str = "global",
        nm: Pair | None = None,
        block: Pair | None = None,
        min_keep_per_layer: int = 0,
        overrides: Mapping[str, Override] | None = None,
        include: str | None = None,
        input_axis: int | None = None,
        schedule: str | Schedule = "constant",
        start: int = 0,
        end: int | None = None,
        every: int = 1,
        rate: float | None = None,
        initial_keep: float = 1.0,
        freeze_after: int | None = None,
        optimizer_state: str = "keep",
    ) -> None:
        self.scope = Scope(scope, nm, block, min_keep_per_layer, dict(overrides or {}))
        self.keep = final_keep(keep, self.scope)
        if isinstance(schedule, str):
            schedule = Schedule(schedule, start, end, every, rate, initial_keep)
        elif (start, end, every, rate, initial_keep) != (0, None, 1, None, 1.0):
            raise ValueError(
                f"{schedule} already says when: leave out start, end, every, rate and initial_keep"
            )
        self.schedule = schedule
        self.freeze_after = freeze_after
        self.optimizer_state = check_choice("optimizer_state", optimizer_state, ("keep", "zero"))
        self._check_schedule()
        self.weights = collect(tensors, include=include, input_axis=input_axis)
        self.scope.check_weights(self.weights)
        self.step_count = 0
        self._masks: dict[str, Tensor] = {}
        self._frozen = False
        self._optimizer: torch.optim.Optimizer | None = None
        self._hooks: list[Any] = []
        self._warned: set[str] = set()
        self._pending: list[
            tuple[int, dict[str, int] | Pending]
        ] = []  # projections of the GPU, by step
        self._counts: dict[str, int] = {}

    def _check_schedule(self) -> None:
        schedule = self.schedule
        if self.scope.kind == "nm" and schedule.kind != "constant":
            raise ValueError(f"scope='nm' has a constant schedule only, got {schedule.kind!r}")
        if schedule.initial_keep < self.keep:
            raise ValueError(
                f"initial_keep must be at least keep={self.keep}, got {schedule.initial_keep}"
            )
        if self.freeze_after is None:
            return
        check_count("freeze_after", self.freeze_after, low=schedule.start)
        if schedule.end is not None and self.freeze_after < schedule.end:
            raise ValueError(
                f"freeze_after must be at least end={schedule.end}, where the schedule reaches "
                f"keep, got {self.freeze_after}"
            )

    @property
    def names(self) -> list[str]:
        """Names of the weights, in the order of their flat indices."""
        return [weight.name for weight in self.weights]

    @property
    def num_weights(self) -> int:
        """Number of weights that the projection rules over."""
        return sum(weight.size for weight in self.weights)

    @property
    def frozen(self) -> bool:
        """Whether the support is fixed."""
        return self._frozen

    def density(self) -> float:
        """Return the fraction of the weights that is not 0 now."""
        alive = sum(int(weight.tensor.detach().count_nonzero()) for weight in self.weights)
        return alive / max(self.num_weights, 1)

    def attach(self, optimizer: torch.optim.Optimizer) -> L0Projection:
        """Project after every step of ``optimizer``; return the projection itself."""
        if self._optimizer is not None:
            raise RuntimeError(
                "the projection is attached to an optimiser already: detach it first"
            )
        known = {id(p) for group in optimizer.param_groups for p in group["params"]}
        foreign = [weight.name for weight in self.weights if id(weight.tensor) not in known]
        if foreign:
            raise ValueError(
                f"the optimiser does not train {foreign[0]}: give the projection the tensors of "
                "this optimiser, or call step() after it yourself"
            )
        self._optimizer = optimizer
        self._hooks = [
            optimizer.register_step_pre_hook(lambda *_: self._mask_gradients()),
            optimizer.register_step_post_hook(lambda *_: self.step()),
        ]
        return self

    def detach(self) -> None:
        """Let the optimiser go; weights stay as they are."""
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._optimizer = [], None

    def step(self) -> None:
        """Count one optimiser step and project if it is due; the optimiser's hook calls this."""
        step = self.step_count
        self._collect(wait=False)
        if self._frozen:
            self._apply_masks()
        else:
            freeze = self.freeze_after is not None and step >= self.freeze_after
            if freeze or self.schedule.is_due(step):
                self._project(self.schedule.keep_at(step, self.keep), step, freeze)
        self.step_count = step + 1

    def finish(self) -> dict[str, int]:
        """Project to the final fraction now; return how many weights are kept by name."""
        if not self._frozen:
            self._project(self.keep, self.step_count, False)
            return self._collect(wait=True)
        self._collect(wait=True)
        self._apply_masks()
        return {name: int(mask.count_nonzero()) for name, mask in self._masks.items()}

    def export_mask(self) -> dict[str, Tensor]:
        """Return the support by name: true where a weight is kept.

        The fixed support once frozen, before that what is not 0.
        """
        if self._frozen:
            return {name: mask.clone() for name, mask in self._masks.items()}
        return {weight.name: weight.tensor.detach() != 0 for weight in self.weights}

    def to_torch_prune(self, model: nn.Module) -> None:
        """Hand the support over to ``torch.nn.utils.prune``, which then keeps it fixed.

        ``model`` is the projected model or a copy of it; each weight becomes ``weight_orig`` and
        ``weight_mask``.  The projection lets its optimiser go.
        """
        masks, parameters = self.export_mask(), dict(model.named_parameters())
        missing = [name for name in masks if name not in parameters]
        if missing:
            raise ValueError(f"the model has no parameter {missing[0]!r}: give the projected model")
        self.detach()
        everywhere = list(model.named_parameters(remove_duplicate=False))
        for name, mask in masks.items():
            for alias in [n for n, p in everywhere if p is parameters[name]]:
                owner, _, attribute = alias.rpartition(".")
                prune.custom_from_mask(model.get_submodule(owner), attribute, mask)

    def state_dict(self) -> dict[str, Any]:
        """Return the step count and, once frozen, the support; JSON can hold it."""
        masks = {name: pack(mask) for name, mask in self._masks.items()} if self._frozen else {}
        return {"step": self.step_count, "frozen": self._frozen, "masks": masks}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned; weights are the model's own business."""
        masks = {}
        if state["frozen"]:
            if set(state["masks"]) != set(self.names):
                raise ValueError(
                    f"the state is of {sorted(state['masks'])}, "
                    f"the weights are {sorted(self.names)}"
                )
            for weight in self.weights:
                masks[weight.name] = unpack(weight.name, state["masks"][weight.name], weight.tensor)
        self.step_count = check_count("step", state["step"])
        self._frozen, self._masks = bool(state["frozen"]), masks

    def _project(self, keep: float, step: int, freeze: bool) -> None:
        scope = self.scope
        if scope.overrides and scope.kind != "nm":
            own = {n: self.schedule.keep_at(step, k) for n, k in scope.overrides.items()}  # type: ignore[arg-type]
            scope = Scope(scope.kind, scope.nm, scope.block, scope.min_keep_per_layer, own)
        zero = self.optimizer_state == "zero" or freeze
        if zero and not self._masks:
            self._masks = {
                w.name: torch.ones_like(w.tensor, dtype=torch.bool) for w in self.weights
            }
        try:
            kept = project_later(self.weights, scope, keep, masks=self._masks if zero else None)
        except ValueError as error:
            raise ValueError(f"step {step}: {error}") from None
        self._pending.append((step, kept))
        self._collect(wait=isinstance(kept, dict))
        if zero:
            self._mask_moments()
        self._frozen = freeze

    def _collect(self, *, wait: bool) -> dict[str, int]:
        """Look at the counts that have arrived, or wait for all; return the last ones seen."""
        while self._pending:
            step, made = self._pending[0]
            if not (wait or isinstance(made, dict) or made.has_arrived()):
                break
            del self._pending[0]
            try:
                self._counts = made if isinstance(made, dict) else made.result()
            except ValueError as error:
                raise ValueError(f"step {step}: {error}") from None
            emptied = [
                n for n, count in self._counts.items() if count == 0 and n not in self._warned
            ]
            self._warned.update(emptied)
            warn_emptied(emptied)
        return self._counts

    def _apply_masks(self) -> None:
        for weight in self.weights:
            mask_(weight.tensor, self._masks[weight.name])

    def _mask_gradients(self) -> None:
        if not self._frozen:
            return
        for weight in self.weights:
            gradient = weight.tensor.grad
            if gradient is None:
                continue
            if gradient.layout != torch.strided:
                raise ValueError(
                    f"the gradient of {weight.name} must be dense once the support is fixed, "
                    f"got layout {gradient.layout}"
                )
            mask_(gradient, self._masks[weight.name])

    def _mask_moments(self) -> None:
        if self._optimizer is None:
            return
        for weight in self.weights:
            for value in self._optimizer.state.get(weight.tensor, {}).values():
                if isinstance(value, Tensor) and value.shape == weight.tensor.shape:
                    mask_(value, self._masks[weight.name])

    def __repr__(self) -> str:
        state = "frozen" if self._frozen else "free"
        return (
            f"L0Projection(keep={self.keep}, scope={self.scope.kind!r}, "
            f"schedule={self.schedule.kind!r}, weights={self.num_weights}, "
            f"step={self.step_count}, support={state})"
        )
