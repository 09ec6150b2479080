"""Images of a modality from scans of another, and from label maps: a grey for every tissue, drawn anew.

Healthy T2w and FLAIR scans that may be used freely are scarce. A T1w scan is recoloured by a curve that goes
through a grey for fluid, one for grey and one for white matter; a label map is painted with a grey for each
structure (the idea of SynthSeg, Billot et al. 2023). Codes are uint8 and 0 is outside the brain.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from disyre.intensity import BRAIN_FLOOR
from disyre.modality import Modality
from model_export.shapes import blur, draw_noise, uniform

CodedFrames: TypeAlias = UInt8[Tensor, "batch i j"]
Palettes: TypeAlias = Float32[Tensor, "batch 256"]
"""For each image, the grey of every code."""
TissueGreys: TypeAlias = Float32[Tensor, "batch 3"]
"""Of fluid, grey and white matter."""

FLUID: Final = 0
GREY: Final = 1
WHITE: Final = 2
MIXED: Final = 3
"""What is anywhere between grey and white matter, such as the thalamus."""


@dataclass(frozen=True)
class Contrast:
    """Ranges that the mean greys of a modality are drawn from, before the brightest of them becomes `top`."""

    fluid: tuple[float, float]
    grey: tuple[float, float]
    white: tuple[float, float]
    top: tuple[float, float]
    """Where the brightest tissue lies when the 99th percentile of a brain is 1."""


CONTRASTS: Final[dict[Modality, Contrast]] = {
    "T1w": Contrast(fluid=(0.08, 0.30), grey=(0.45, 0.70), white=(0.75, 0.95), top=(0.78, 0.92)),
    "T2w": Contrast(fluid=(0.80, 1.00), grey=(0.34, 0.60), white=(0.20, 0.42), top=(0.85, 1.15)),
    "FLAIR": Contrast(fluid=(0.02, 0.28), grey=(0.66, 0.90), white=(0.52, 0.76), top=(0.74, 0.94)),
}
"""Read off the few real scans of each kind, and widened."""


def draw_greys(n: int, contrast: Contrast, generator: torch.Generator) -> TissueGreys:
    """The greys of the three tissues for each of n images."""
    ranges = (contrast.fluid, contrast.grey, contrast.white)
    greys = torch.stack([uniform(n, *limits, generator) for limits in ranges], dim=1)
    top = uniform(n, *contrast.top, generator)
    return greys * (top / greys.amax(dim=1))[:, None]


def draw_scan_palettes(
    anchors: Float32[Tensor, "batch 3"], contrast: Contrast, generator: torch.Generator
) -> Palettes:
    """Curves from the codes of T1w scans to greys of another modality.

    `anchors` are the codes of fluid, grey and white matter in each scan, rising.
    """
    n = len(anchors)
    greys = draw_greys(n, contrast, generator)
    low = greys[:, :1] * uniform(n, 0.9, 1.05, generator)[:, None]
    reach = uniform(n, -0.5, 1.0, generator)[:, None]
    high = greys[:, 2:] + reach * (greys[:, 2:] - greys[:, 1:2])
    values = torch.cat([low, greys, high], dim=1)
    first = torch.zeros_like(anchors[:, :1])
    knots = torch.cat([first, anchors, torch.full_like(first, 255)], dim=1)
    return _interpolate(knots, values)


def draw_label_palettes(
    n: int, tissue_of_code: Int64[Tensor, " code"], contrast: Contrast, generator: torch.Generator
) -> Palettes:
    """Greys for the labels of n images: that of the tissue and a little of their own."""
    greys = draw_greys(n, contrast, generator)
    n_codes = len(tissue_of_code)
    share = torch.rand(n, n_codes, generator=generator, device=generator.device)
    mixed = greys[:, 1:2] + share * (greys[:, 2:] - greys[:, 1:2])
    own = greys[:, tissue_of_code.clamp(max=WHITE)]
    palette = torch.where(tissue_of_code == MIXED, mixed, own)
    jitter = torch.randn(n, n_codes, generator=generator, device=generator.device)
    palette = palette + 0.025 * jitter
    return F.pad(palette, (0, 256 - n_codes))


def paint(
    coded: CodedFrames, tissue_of_code: Int64[Tensor, " code"], contrast: Contrast, generator: torch.Generator
) -> Float32[Tensor, "batch i j"]:
    """Label maps as scans: a grey for each label, texture, and the blur of partial volumes."""
    n, height, width = coded.shape
    inside = coded > 0
    image = look_up(coded, draw_label_palettes(n, tissue_of_code, contrast, generator))
    is_fluid = inside & (tissue_of_code == FLUID)[coded.long()]
    image = with_flow_voids(image, is_fluid, generator) + _texture(n, height, width, generator)
    sigma_px = uniform(n, 0.35, 0.9, generator)
    spread = blur(inside.float(), sigma_px, radius=3)
    image = blur(image * inside, sigma_px, radius=3) / spread.clamp(min=1e-3)
    return _within(image, inside)


def with_flow_voids(
    image: Float32[Tensor, "batch i j"], is_fluid: Bool[Tensor, "batch i j"], generator: torch.Generator
) -> Float32[Tensor, "batch i j"]:
    """Dark spots and streaks in the fluid of half of the images, where it flows or vessels lie in it."""
    n, height, width = image.shape
    above = uniform(n, 0.6, 2.0, generator)[:, None, None]
    spots = torch.sigmoid(8 * (draw_noise(n, height, width, generator) - above))
    depth = uniform(n, -1.0, 1.0, generator).clamp(min=0)[:, None, None]
    return _within(image * (1 - depth * spots * is_fluid), image > 0)


def look_up(coded: CodedFrames, palettes: Palettes) -> Float32[Tensor, "batch i j"]:
    """Replace codes by greys: [BRAIN_FLOOR, 1] in the brain, 0 around it."""
    greys = palettes.gather(1, coded.flatten(1).long()).reshape(coded.shape)
    return _within(greys, coded > 0)


def _within(image: Float32[Tensor, "batch i j"], inside: Bool[Tensor, "batch i j"]) -> Tensor:
    return image.clamp(BRAIN_FLOOR, 1) * inside


def _texture(n: int, height: int, width: int, generator: torch.Generator) -> Float32[Tensor, "batch i j"]:
    """Grain, and slow changes within a tissue."""
    device = generator.device
    grain = torch.randn(n, height, width, generator=generator, device=device)
    slow = torch.randn(n, 1, height // 10, width // 10, generator=generator, device=device)
    slow = F.interpolate(slow, size=(height, width), mode="bilinear", align_corners=True)[:, 0]
    fine, coarse = uniform(n, 0.01, 0.08, generator), uniform(n, 0.0, 0.035, generator)
    return grain * fine[:, None, None] + slow * coarse[:, None, None]


def _interpolate(knots: Float32[Tensor, "batch knot"], values: Float32[Tensor, "batch knot"]) -> Palettes:
    """Straight lines through the knots, at 0 to 255."""
    codes = torch.arange(256, device=knots.device, dtype=torch.float32).expand(len(knots), -1).contiguous()
    after = torch.searchsorted(knots.contiguous(), codes).clamp(1, knots.shape[1] - 1)
    x0, x1 = knots.gather(1, after - 1), knots.gather(1, after)
    y0, y1 = values.gather(1, after - 1), values.gather(1, after)
    return y0 + (codes - x0) / (x1 - x0).clamp(min=1e-3) * (y1 - y0)
