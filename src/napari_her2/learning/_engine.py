"""Network, optimiser, schedule, moving average: one training step and what a checkpoint holds of them.

Imports torch and timm: load it inside functions.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from timm.optim import param_groups_weight_decay
from timm.scheduler import CosineLRScheduler
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from napari_her2.errors import InferenceError
from napari_her2.learning._objective import make_objective
from napari_her2.learning._start import start_like_trained
from napari_her2.learning.patch import UNKNOWN, truth_of
from napari_her2.models import build_network
from napari_her2.models._torch_model import PixelInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_her2.inference import Device
    from napari_her2.learning.patch import Patch
    from napari_her2.learning.recipe import Recipe

__all__ = ["Engine"]

TICKS: Final = 100_000
"""Steps of the schedule; a run is told by its fraction, since time may decide when it ends."""
MOMENTS: Final = ("step", "exp_avg", "exp_avg_sq")
Numbers = dict[str, Tensor]


class Engine:
    """Everything of a run that torch holds.

    Parameters
    ----------
    recipe : Recipe
    device : Device
    """

    def __init__(self, recipe: Recipe, device: Device) -> None:
        torch.manual_seed(recipe.seed)
        plan, schedule = recipe.plan, recipe.schedule
        self.plan, self.schedule, self.device = plan, schedule, torch.device(device.name)
        network = build_network(plan)
        if hasattr(network, "body"):
            start_like_trained(network.body.backbone)
        self.objective = make_objective(network, truth_of(recipe.task).dense, schedule).to(self.device)
        self.ema = ModelEmaV3(self.objective.network, decay=schedule.ema, use_warmup=True)
        groups = param_groups_weight_decay(self.objective, schedule.weight_decay)
        self.optimiser = torch.optim.AdamW(groups, lr=schedule.learning_rate, betas=(0.9, 0.98))
        self.cosine = CosineLRScheduler(
            self.optimiser, t_initial=TICKS, lr_min=schedule.learning_rate * 1e-3, t_in_epochs=False,
            warmup_t=round(schedule.warmup * TICKS), warmup_lr_init=schedule.learning_rate * 0.01,
            warmup_prefix=True,
        )  # fmt: skip
        chosen = schedule.precision
        self.low = device.bfloat16 if chosen == "auto" else chosen == "bfloat16"

    @contextmanager
    def _precision(self) -> Iterator[None]:
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.low):
            yield

    def step(self, patches: Sequence[Patch], number: int, seed: int, fraction: float) -> float:
        """Learn from patches (augmented already); return the loss.

        Parameters
        ----------
        patches : sequence of Patch
        number : int
            Of the step, from 0.
        seed : int
            Chance of this step.
        fraction : float
            Of the whole run, for the learning rate.

        Raises
        ------
        InferenceError
            If the loss is no longer finite.
        """
        torch.manual_seed(seed)
        self.cosine.step_update(int(fraction * TICKS))
        self.objective.train()
        pixels, target, labels = self._tensors(patches)
        self.optimiser.zero_grad(set_to_none=True)
        with self._precision():
            loss = self.objective(pixels, target, labels)
        loss.backward()
        nn.utils.clip_grad_norm_(self.objective.parameters(), self.schedule.clip)
        value = float(loss.detach())
        if not np.isfinite(value):
            raise InferenceError(
                f"the loss is {value} at step {number}: lower learning_rate in the recipe and train again"
            )
        self.optimiser.step()
        self.ema.update(self.objective.network, number)
        return value

    def _tensors(self, patches: Sequence[Patch]) -> tuple[Tensor, Tensor, Tensor]:
        stacked = np.stack([patch.pixels for patch in patches])
        size = stacked.shape[1]
        unknown = np.full((size, size), UNKNOWN, np.uint8)
        labels = np.stack([unknown if patch.labels is None else patch.labels for patch in patches])
        pixels = PixelInput(size, self.plan.mean, self.plan.std, str(self.device), "float32")(stacked)
        target = torch.from_numpy(np.stack([patch.target for patch in patches]))
        return pixels, target.to(self.device), torch.from_numpy(labels).to(self.device)

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Answers of the moving average for pixels (n, h, w, 3)."""
        return self._of_average("probabilities", pixels)

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (n, d) of the moving average."""
        return self._of_average("features", pixels)

    def _of_average(self, what: str, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        network: Any = self.ema.module
        network.eval()
        given = PixelInput(pixels.shape[1], self.plan.mean, self.plan.std, str(self.device), "float32")
        with torch.inference_mode(), self._precision():
            out = getattr(network, what)(given(pixels))
        return np.asarray(out.float().cpu().numpy())

    @property
    def learning_rate(self) -> float:
        """Of the last step."""
        return float(self.optimiser.param_groups[0]["lr"])

    def state(self) -> Numbers:
        """All that is needed to go on, as tensors by name."""
        held = {f"objective.{name}": tensor for name, tensor in self.objective.state_dict().items()}
        held |= {f"average.{name}": tensor for name, tensor in self.average().items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            held |= {f"optimiser.{index}.{name}": moments[name] for name in MOMENTS}
        return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in held.items()}

    def take(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a state."""
        self.objective.load_state_dict(_under("objective.", state))
        self.take_average(_under("average.", state))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _under("optimiser.", state).items():
            index, _, moment = name.partition(".")
            moments.setdefault(int(index), {})[moment] = tensor
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})

    def average(self) -> Numbers:
        """Weights of the moving average."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self.ema.module.state_dict().items()}

    def take_average(self, weights: Mapping[str, Tensor]) -> None:
        """Set the weights of the moving average."""
        self.ema.module.load_state_dict(dict(weights))


def _under(prefix: str, state: Mapping[str, Tensor]) -> Numbers:
    return {name[len(prefix) :]: tensor for name, tensor in state.items() if name.startswith(prefix)}
