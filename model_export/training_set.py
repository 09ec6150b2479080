"""What a run draws its healthy patches from: scans as they are, or recoloured, and painted label maps."""

from dataclasses import dataclass, replace
from typing import Self

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional as F

from disyre.modality import Modality
from model_export import parity_augmentation
from model_export.augmentation import FrameMasks, Frames, vary_intensity, warp
from model_export.config import ParityAugmentationConfig, TrainingConfig
from model_export.contrast import CONTRASTS, draw_scan_palettes, look_up, paint, with_flow_voids
from model_export.dataset import SliceBank, crop_randomly
from model_export.label_slices import LabelSlices


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Slices on the training device; those of scans and of label maps lie in frames of one shape."""

    bank: SliceBank
    labels: LabelSlices | None
    own: SliceBank | None
    """Scans of the modality itself, beside those that are recoloured."""
    anchors: Float32[Tensor, "slice 3"]
    """Codes of fluid, grey and white matter in the scan of each slice."""

    @classmethod
    def of(
        cls,
        bank: SliceBank,
        labels: LabelSlices | None = None,
        own: SliceBank | None = None,
        *,
        device: str = "cpu",
    ) -> Self:
        """Bring slices onto a device, in one frame."""
        shapes = [slices.coded.shape[1:] for slices in (bank, labels, own) if slices is not None]
        edges = torch.Size(torch.tensor(shapes).amax(dim=0).tolist())
        labels = None if labels is None else _labels_in_frame(labels, edges).to(device)
        own = None if own is None else _bank_in_frame(own, edges).to(device)
        bank = _bank_in_frame(bank, edges).to(device)
        return cls(bank, labels, own, bank.measure_anchors())

    def draw(self, config: TrainingConfig, generator: torch.Generator) -> tuple[Frames, FrameMasks]:
        """Random slices, augmented, a random square of each: healthy patches and their brain masks."""
        n_painted = 0 if self.labels is None else round(config.p_painted * config.batch_size)
        n_own = 0 if self.own is None else round(config.p_own * config.batch_size)
        drawn = [self._draw_scans(config, config.batch_size - n_painted - n_own, generator)]
        if self.labels is not None and n_painted:
            drawn.append(self._draw_painted(self.labels, config, n_painted, generator))
        if self.own is not None and n_own:
            drawn.append(self.own.frames(_draw(len(self.own.coded), n_own, generator)))
        frames, inside = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        return _augment(frames, inside, config, generator)

    def _draw_scans(
        self, config: TrainingConfig, n: int, generator: torch.Generator
    ) -> tuple[Frames, FrameMasks]:
        index = _draw(len(self.bank.coded), n, generator)
        if config.scans_of in (None, config.modality):
            return self.bank.frames(index)
        coded = self.bank.coded[index]
        palettes = draw_scan_palettes(self.anchors[index], CONTRASTS[config.modality], generator)
        image = look_up(coded, palettes)
        is_fluid = coded < self.anchors[index, :2].mean(dim=1)[:, None, None]
        return with_flow_voids(image, is_fluid, generator)[:, None], (coded > 0)[:, None]

    @staticmethod
    def _draw_painted(
        labels: LabelSlices, config: TrainingConfig, n: int, generator: torch.Generator
    ) -> tuple[Frames, FrameMasks]:
        coded = labels.draw(n, generator)
        image = paint(coded, labels.tissue_of_code, CONTRASTS[config.modality], generator)
        return image[:, None], (coded > 0)[:, None]


def recoloured(bank: SliceBank, modality: Modality, *, seed: int) -> SliceBank:
    """T1w scans as if they were of another modality, each with one curve for all of its slices."""
    generator = torch.Generator().manual_seed(seed)
    n_slices = torch.tensor(bank.n_slices)
    first = torch.cumsum(n_slices, 0) - n_slices
    palettes = draw_scan_palettes(bank.measure_anchors()[first], CONTRASTS[modality], generator)
    image = look_up(bank.coded, palettes.repeat_interleave(n_slices, dim=0))
    return replace(bank, coded=torch.round(image * 255).to(torch.uint8))


def _augment(
    frames: Frames, inside: FrameMasks, config: TrainingConfig, generator: torch.Generator
) -> tuple[Frames, FrameMasks]:
    augmentation = config.augmentation
    if isinstance(augmentation, ParityAugmentationConfig):
        return parity_augmentation.augment(frames, inside, config.patch_px, augmentation, generator)
    frames, inside = warp(frames, inside, augmentation, generator)
    patches, inside = crop_randomly(frames, inside, config.patch_px, generator)
    return vary_intensity(patches, inside, augmentation, generator), inside


def _draw(n_slices: int, n: int, generator: torch.Generator) -> Tensor:
    return torch.randint(n_slices, (n,), generator=generator, device=generator.device)


def _bank_in_frame(bank: SliceBank, edges: torch.Size) -> SliceBank:
    """The same slices with background around them."""
    return replace(bank, coded=_in_frame(bank.coded, edges))


def _labels_in_frame(labels: LabelSlices, edges: torch.Size) -> LabelSlices:
    return replace(labels, coded=_in_frame(labels.coded, edges), extent=_in_frame(labels.extent, edges))


def _in_frame(coded: UInt8[Tensor, "slice i j"], edges: torch.Size) -> UInt8[Tensor, "slice i j"]:
    (top, bottom), (left, right) = (
        ((wide - edge) // 2, (wide - edge + 1) // 2)
        for wide, edge in zip(edges, coded.shape[1:], strict=True)
    )
    return F.pad(coded, (left, right, top, bottom))
