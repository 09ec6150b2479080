"""The training loop, told as a story.

DISYRE (ISBI 2024), section 2.2: draw healthy patches, corrupt them, let the network estimate the healthy
patch under the condition nearest to the severity, and minimise the squared error over the whole patch.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import nn
from torch.nn import functional as F

from model_export.architecture import Network, make_network
from model_export.batches import Batches
from model_export.checkpoint import BEST_FILE, CHECKPOINT_FILE, Checkpoint
from model_export.config import TrainingConfig
from model_export.ranks import ALONE, Ranks
from model_export.run_folder import RunFolder
from model_export.training_set import TrainingSet
from model_export.validation import ValidationSet, measure

Estimate = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor | None]]
OnReport = Callable[[dict[str, float]], None]
OnValidation = Callable[[Network, int], None]
OnStep = Callable[[int, float], None]

_IN_A_CHECKOUT: Final = "scripts/run train disyre"
"""The command as it works in a checkout, where it is not on the path."""


def _quiet(report: dict[str, float]) -> None:
    """Ignore reports."""


def _untold(patches: int, elapsed_s: float) -> None:
    """Tell nothing of a step."""


def _unseen(network: Network, patches: int) -> None:
    """Look at nothing."""


def _never() -> bool:
    """Go on."""
    return False


@dataclass
class Trainee:
    """What changes during a run."""

    network: Network
    ema: Network
    """Running average of the network: what is validated and exported."""
    optimizer: torch.optim.Optimizer
    batches: Batches
    estimate: Estimate
    """`network.estimate`, compiled if the config says so."""
    ranks: Ranks = ALONE
    patches: int = 0
    elapsed_s: float = 0.0
    losses: list[torch.Tensor] = field(default_factory=list)
    """Since the last report."""

    @classmethod
    def begin(cls, config: TrainingConfig, ranks: Ranks = ALONE) -> "Trainee":
        """A run that has seen nothing."""
        torch.manual_seed(config.seed)
        network = make_network(config.network).to(config.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(
            network.parameters(),
            config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
            fused=config.device != "cpu",
        )
        generator = torch.Generator(config.device).manual_seed(ranks.seed(config.seed))
        estimate = torch.compile(network.estimate) if config.compile else network.estimate
        average = copy.deepcopy(network).requires_grad_(False)
        return cls(network, average, optimizer, Batches(generator), estimate, ranks)

    def resume(self, config: TrainingConfig, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint.

        One without moments of the optimiser begins with fresh ones; one from another kind of device, with
        other draws.
        """
        self.network.load_state_dict(checkpoint.network)
        self.ema.load_state_dict(checkpoint.ema)
        if checkpoint.optimizer:
            self.optimizer.load_state_dict(checkpoint.optimizer)
        state, generator = self.ranks.own(checkpoint.generator), self.batches.generator
        if state is not None and len(state) == len(generator.get_state()):
            generator.set_state(state)
        else:  # saved by fewer or more ranks, or on another kind of device
            generator.manual_seed(generator.initial_seed() + checkpoint.patches)
        self.batches.go_on(config, checkpoint.patches // config.batch_size)
        self.patches, self.elapsed_s = checkpoint.patches, checkpoint.elapsed_s
        self.losses = list(checkpoint.losses)

    def checkpoint(self) -> Checkpoint:
        """The state, to be saved by the first rank; all ranks have to ask for it."""
        return Checkpoint(
            network=self.network.state_dict(),
            ema=self.ema.state_dict(),
            optimizer=self.optimizer.state_dict(),
            generator=self.ranks.gather(self.batches.state()),
            patches=self.patches,
            elapsed_s=self.elapsed_s,
            losses=torch.stack(self.losses) if self.losses else torch.empty(0),
        )


def train(
    config: TrainingConfig,
    training: TrainingSet,
    held_back: ValidationSet,
    folder: RunFolder,
    *,
    on_report: OnReport = _quiet,
    on_validation: OnValidation = _unseen,
    on_step: OnStep = _untold,
    should_stop: Callable[[], bool] = _never,
    ranks: Ranks = ALONE,
) -> Trainee:
    """Train until the schedule ends or `should_stop`; go on from the folder's checkpoint if it has one.

    With several `ranks` all call this and take a share of every batch; only the first reports and saves.
    `config.corruption` must have a codebook. `on_report` gets every line of `metrics.jsonl`, `on_validation`
    the averaged network and the number of patches when it was measured; `on_step` is told after
    each batch how many patches were seen in how many seconds.
    """
    trainee = Trainee.begin(config, ranks)
    if (folder.path / CHECKPOINT_FILE).is_file():
        trainee.resume(config, Checkpoint.load(folder.path, config.device))
        if ranks.is_first:
            folder.forget_metrics_after(trainee.patches)
    clock = saved_at = ranks.clock()
    while (progress := config.progress(trainee.patches, trainee.elapsed_s)) < 1 and not ranks.any(
        should_stop()
    ):
        learning_rate = _set_learning_rate(config, trainee, progress)
        trainee.losses.append(train_step(config, training, trainee))

        now = ranks.clock()
        trainee.elapsed_s += now - clock
        clock = now
        on_step(trainee.patches, trainee.elapsed_s)
        validates = _passed(trainee.patches, config.validate_every_patches, config.batch_size)
        if validates or _passed(trainee.patches, config.report_every_patches, config.batch_size):
            report = _report(trainee, learning_rate)
            if ranks.is_first:
                if validates:
                    report |= measure(trainee.ema, held_back)
                    _keep_if_best(trainee, folder, report)
                    on_validation(trainee.ema, trainee.patches)
                folder.append_metrics(report)
                on_report(report)
        if now - saved_at > config.checkpoint_every_s:
            _save(trainee, folder)
            saved_at = now

    _save(trainee, folder)
    return trainee


def describe_outcome(config: TrainingConfig, trainee: Trainee, folder: RunFolder) -> str:
    """How far a run has come, and what can be done with it."""
    so_far = f"with {trainee.patches:,} patches of {config.total_patches:,}"
    if config.progress(trainee.patches, trainee.elapsed_s) < 1:
        return f"stopped {so_far}; `{_IN_A_CHECKOUT} train --resume --out {folder.path}` goes on"
    makes = (
        f"`{_IN_A_CHECKOUT} export {folder.path} --to models/<name>/<version>` makes a model package of it"
    )
    return f"the run is finished, {so_far}; it is in {folder.path}, and {makes}"


def _save(trainee: Trainee, folder: RunFolder) -> None:
    """Save the state of all ranks, from the first."""
    checkpoint = trainee.checkpoint()
    if trainee.ranks.is_first:
        checkpoint.save(folder.path)


def _keep_if_best(trainee: Trainee, folder: RunFolder, report: dict[str, float]) -> None:
    """Save the averaged weights if they find lesions better than at every validation before."""
    before = [line["lesion_ap"] for line in folder.metrics() if "lesion_ap" in line]
    if "lesion_ap" in report and report["lesion_ap"] > max(before, default=-1.0):
        weights = Checkpoint.of_weights(
            trainee.ema.state_dict(), patches=trainee.patches, elapsed_s=trainee.elapsed_s
        )
        weights.save(folder.path, BEST_FILE)


def _report(trainee: Trainee, learning_rate: float) -> dict[str, float]:
    """A line of `metrics.jsonl`; the losses it tells of are forgotten."""
    loss = float(torch.stack(trainee.losses).mean())
    trainee.losses.clear()
    return {
        "patches": trainee.patches,
        "elapsed_s": round(trainee.elapsed_s, 1),
        "learning_rate": learning_rate,
        "loss": loss,
    }


def train_step(config: TrainingConfig, training: TrainingSet, trainee: Trainee) -> torch.Tensor:
    """One batch: draw, corrupt, restore, learn. Returns the loss."""
    ranks = trainee.ranks
    batch = trainee.batches.take(ranks.share_of(config), training)
    x = batch.corrupted.contiguous(memory_format=torch.channels_last)
    with torch.autocast(config.device, torch.bfloat16, enabled=config.precision == "bf16"):
        x0, gate = trainee.estimate(x, batch.condition)
    changed = ((x - batch.healthy).abs() > config.changed).float()
    loss = F.mse_loss(x0.float(), batch.healthy)
    if gate is not None:
        loss = loss + config.gate_weight * F.binary_cross_entropy_with_logits(gate.float(), changed)

    trainee.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    loss = ranks.average_gradients(trainee.network, loss)
    nn.utils.clip_grad_norm_(trainee.network.parameters(), config.grad_clip)
    trainee.optimizer.step()
    trainee.patches += config.batch_size
    _update_ema(config, trainee)
    return loss.detach()


def _set_learning_rate(config: TrainingConfig, trainee: Trainee, progress: float) -> float:
    """Linear warm-up, then half a cosine down to zero."""
    warmup = min(1.0, (trainee.patches + config.batch_size) / config.warmup_patches)
    learning_rate = config.learning_rate * warmup * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    for group in trainee.optimizer.param_groups:
        group["lr"] = learning_rate
    return learning_rate


@torch.no_grad()
def _update_ema(config: TrainingConfig, trainee: Trainee) -> None:
    """Exponential running average whose half-life is shorter at the start of the run."""
    halflife = min(config.ema_halflife_patches, 0.05 * trainee.patches)
    weight = 1 - 0.5 ** (config.batch_size / halflife) if halflife else 1.0
    torch._foreach_lerp_(list(trainee.ema.parameters()), list(trainee.network.parameters()), weight)


def _passed(patches: int, every: int, batch_size: int) -> bool:
    """Whether a multiple of `every` was reached by the last batch."""
    return patches // every > (patches - batch_size) // every
