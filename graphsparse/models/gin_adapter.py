"""Sparse-GIN adapter: fine-tune a frozen transformer through the graph of its attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from graphsparse.checks import check_choice
from graphsparse.models.adapter_graph import AdapterLayer, AttentionGraph

PLACEMENTS = ("before", "after", "parallel")
ATTENTION_NAMES = ("self_attn", "attn", "attention", "self_attention")


class SparseGINAdapter(nn.Module):
    """A small GIN beside every attention layer of a frozen decoder, on its thresholded attention.

    Parameters
    ----------
    model : nn.Module
        A decoder whose layers stand in one ``ModuleList`` and whose attention modules return
        ``(output, probabilities, ...)`` with probabilities (batch, heads, length, length).  It is
        not edited: hooks do the work, and all its parameters are frozen.
    layers : "all" or sequence of int
        Layers that get an adapter.
    width : int, optional
        Width of the GIN; 155, or ``dim // 20`` if that is more, when left out; that of a head with
        ``AttentionGraph(combine="per_head")``.
    graph : AttentionGraph, optional
        How attention becomes a graph; sums of heads above 0.2 when left out.
    placement : {"before", "after", "parallel"}
        What the adapter sees and where its output is added: the states before the layer's MLP;
        after it; or those before it, added to the output of the layer.
    scale_first, scale_last : float
        ``lambda`` of the first and of the last layer, linear between them.
    detach_adjacency : bool
        No gradient flows through the attention map into lower adapters: saves memory.
    **options
        As in :class:`~graphsparse.models.adapter_graph.AdapterLayer`.

    Attributes
    ----------
    merge : bool
        False: unlike LoRA, it cannot be merged into the weights of the model.

    Notes
    -----
    The hook adds ``lambda * rms(GNN(r + o))`` to the attention output ``o`` of a layer with input
    ``r``; the layer then adds ``r``: the states before its MLP.  The other placements need one more
    hook, on the layer.  With ``lambda = 0`` the outputs
    are those of the model.  Dense products with the adjacency: O(batch * length^2 * width).

    References
    ----------
    M. J. Buehler, 2025, arXiv:2501.02393; its code passes no message between tokens, see
    ``orientation`` of :class:`~graphsparse.models.adapter_graph.AttentionGraph`.
    """

    merge = False

    def __init__(
        self,
        model: nn.Module,
        layers: str | Sequence[int] = "all",
        width: int | None = None,
        *,
        graph: AttentionGraph | None = None,
        placement: str = "before",
        scale_first: float = 0.0,
        scale_last: float = 0.5,
        detach_adjacency: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        self.__dict__["model"] = model  # no submodule: its parameters are not ours
        places = decoder_layers(model)
        chosen = list(range(len(places))) if layers == "all" else [int(at) for at in layers]
        bad = [at for at in chosen if not 0 <= at < len(places)]
        if bad or not chosen:
            raise ValueError(
                f"layers must be 'all' or numbers in [0, {len(places)}), got {layers!r}"
            )
        dim, heads = _sizes(model)
        graph = graph or AttentionGraph()
        if width is None:
            width = dim // heads if graph.combine == "per_head" else max(155, dim // 20)
        self.placement = check_choice("placement", placement, PLACEMENTS)
        self.detach_adjacency = detach_adjacency
        self.adapters = nn.ModuleDict()
        for at in chosen:
            share = at / (len(places) - 1) if len(places) > 1 else 1.0
            scale = scale_first + (scale_last - scale_first) * share
            self.adapters[str(at)] = AdapterLayer(dim, heads, width, graph, scale=scale, **options)
        self._was_trained = {n: p.requires_grad for n, p in model.named_parameters()}
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        self._inputs: dict[str, Tensor] = {}
        self._seen: dict[str, tuple[Tensor, Tensor]] = {}
        self._handles: list[RemovableHandle] = []
        for at in chosen:
            self._attach(str(at), *places[at])

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model, adapters included."""
        return self.__dict__["model"](*args, **kwargs)

    def adapter_state_dict(self) -> dict[str, Tensor]:
        """Return the tensors of the adapters only."""
        return self.state_dict()

    def load_adapter(self, state: Mapping[str, Tensor]) -> None:
        """Take back what :meth:`adapter_state_dict` gave."""
        self.load_state_dict(dict(state))

    def remove(self) -> None:
        """Take the hooks off the model and train again what was trained before."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        for name, parameter in self.__dict__["model"].named_parameters():
            parameter.requires_grad_(self._was_trained[name])

    def _attach(self, key: str, layer: nn.Module, attention: nn.Module) -> None:
        def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._inputs[key] = args[0] if args else kwargs["hidden_states"]

        def after(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            return self._adapted(key, output)

        def at_the_end(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            return self._added(key, output)

        self._handles.append(layer.register_forward_pre_hook(before, with_kwargs=True))
        self._handles.append(attention.register_forward_hook(after))
        if self.placement != "before":
            self._handles.append(layer.register_forward_hook(at_the_end))

    def _adapted(self, key: str, output: Any) -> Any:
        """What attention returns, the adapter's output added; or kept for the end of the layer."""
        received = self._inputs.pop(key)
        probabilities = self._probabilities(key, output)
        if self.placement != "before":
            self._seen[key] = received + output[0], probabilities
            return output
        return (output[0] + self._run(key, received + output[0], probabilities), *output[1:])

    def _added(self, key: str, output: Any) -> Any:
        """What the layer returns, the adapter's output added."""
        states = output[0] if isinstance(output, tuple) else output
        middle, probabilities = self._seen.pop(key)
        seen = states if self.placement == "after" else middle
        states = states + self._run(key, seen, probabilities)
        return (states, *output[1:]) if isinstance(output, tuple) else states

    def _run(self, key: str, states: Tensor, probabilities: Tensor) -> Tensor:
        adapter = self.adapters[key]
        dtype = next(adapter.parameters()).dtype
        return adapter(states.to(dtype), probabilities.to(dtype)).to(states.dtype)

    def _probabilities(self, key: str, output: Any) -> Tensor:
        probabilities = output[1] if isinstance(output, tuple) and len(output) > 1 else None
        if not isinstance(probabilities, Tensor) or probabilities.dim() != 4:
            raise ValueError(
                f"attention of layer {key} must return its probabilities, got "
                f"{type(probabilities).__name__}: load the model with "
                "attn_implementation='eager', or return (output, probabilities)"
            )
        if probabilities.shape[2] != probabilities.shape[3]:
            raise ValueError(
                f"attention of layer {key} must be over whole sequences, got "
                f"{probabilities.shape[2]} queries of {probabilities.shape[3]} keys: "
                "call the model without a cache (use_cache=False)"
            )
        return probabilities.detach() if self.detach_adjacency else probabilities


def decoder_layers(model: nn.Module) -> list[tuple[nn.Module, nn.Module]]:
    """Return (layer, attention) of every decoder layer.

    Raises
    ------
    ValueError
        If no ``ModuleList`` of the model consists of layers with an attention module.
    """
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module):
            found = [(layer, _attention_of(layer)) for layer in module]
            if all(attention is not None for _, attention in found):
                return found  # type: ignore[return-value]
    raise ValueError(
        "model must hold a ModuleList of layers with a child named "
        f"{' or '.join(ATTENTION_NAMES)}, got {type(model).__name__}"
    )


def _attention_of(layer: nn.Module) -> nn.Module | None:
    children = dict(layer.named_children())
    return next((children[name] for name in ATTENTION_NAMES if name in children), None)


def _sizes(model: nn.Module) -> tuple[int, int]:
    """Width of the states and number of heads, from the model's ``config``."""
    config = getattr(model, "config", None)
    dim, heads = (getattr(config, n, None) for n in ("hidden_size", "num_attention_heads"))
    if not isinstance(dim, int) or not isinstance(heads, int):
        raise ValueError(
            "model must have a config with hidden_size and num_attention_heads, "
            f"got {type(config).__name__}"
        )
    return dim, heads
