"""Anomalies more like lesions than the published ones: of any size, irregular, homogeneous, with a core.

A network can restore DAG patches well and still leave real lesions alone. So a third kind of anomaly
replaces tissue by something of its own grey: like fluid (a cavity, a cyst), like oedema (tissue that loses
contrast and shifts), with a core of another grey, of one place or scattered. Its outline is the level of a
function that falls with the distance from a centre and is disturbed by smooth noise. Work is on whole
patches, as a lesion may be larger than the box of a published anomaly.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float32
from torch import Tensor

from model_export.config import LesionConfig
from model_export.shapes import blur, draw_noise, uniform

Images: TypeAlias = Float32[Tensor, "batch i j"]
Insides: TypeAlias = Bool[Tensor, "batch i j"]
PerImage: TypeAlias = Float32[Tensor, "batch 1 1"]


@dataclass(frozen=True, eq=False)
class Outline:
    """Where a lesion is."""

    level: Images
    """Above 0 inside, 1 about the middle of a round one."""
    slope: PerImage
    """Steepness of its edge: 1 / the level over which it fades."""

    def mask(self, above: PerImage | float = 0.0) -> Images:
        """Soft mask of what is above a level."""
        return torch.sigmoid((self.level - above) * self.slope)


def add_lesions(x: Images, inside: Insides, config: LesionConfig, generator: torch.Generator) -> Images:
    """Put one lesion, of one place or scattered, into every image; background is not left alone."""
    n = len(x)
    outline = draw_outlines(inside, config, generator)
    m = outline.mask()
    m = torch.where(_happens(n, config.p_selective, generator), m * _like_the_middle(x, m, generator), m)
    y = _fill(x, m, config.p_dark, generator, texture=config.texture)
    kept = x + m * _shift(x, m, config.p_dark, generator)
    y = torch.where(_happens(n, config.p_additive, generator), kept, y)
    core = m * outline.mask(_each(n, 0.25, 0.6, generator))
    with_core = _fill(y, core, 0.5, generator, texture=config.texture)
    return torch.where(_happens(n, config.p_core, generator), with_core, y)


def draw_outlines(inside: Insides, config: LesionConfig, generator: torch.Generator) -> Outline:
    """An outline around a random brain pixel of each image."""
    n, height, width = inside.shape
    low, high = (math.log(r) for r in config.radius_px)
    radius_px = torch.exp(_each(n, low, high, generator))
    distance = _distance(inside, config.elongation, generator) / radius_px
    noise = draw_noise(n, height, width, generator)
    one = 1 - distance + _each(n, 0.0, 0.7, generator) * noise
    place = (distance < _each(n, 2.0, 8.0, generator)).float()
    many = place * (noise - _each(n, 0.9, 1.7, generator)) - (1 - place)
    scattered = _happens(n, config.p_scattered, generator)
    softness_px = _each(n, 0.25, 2.0, generator)
    slope = torch.where(scattered, 4.0 / softness_px, radius_px.clamp(min=2.0) / softness_px)
    return Outline(torch.where(scattered, many, one), 2 * slope)


def _fill(x: Images, m: Images, p_dark: float, generator: torch.Generator, *, texture: float) -> Images:
    """Replace most of what is under a mask by a grey of its own and a little smooth noise."""
    n, height, width = x.shape
    mean = _mean_under(x, m)
    level = mean + _change(mean, p_dark, generator)
    noise = draw_noise(n, height, width, generator) * _each(n, 0.0, texture, generator)
    grain = torch.randn(x.shape, generator=generator, device=x.device) * _each(n, 0.0, 0.05, generator)
    weight = m * _each(n, 0.35, 1.0, generator)
    return (1 - weight) * x + weight * (level + noise + grain).clamp(0, 1)


def _shift(x: Images, m: Images, p_dark: float, generator: torch.Generator) -> Images:
    """A change of grey that leaves what is under a mask its structure."""
    n, height, width = x.shape
    smooth = draw_noise(n, height, width, generator)
    return _change(_mean_under(x, m), p_dark, generator) * (1 + 0.2 * smooth)


def _change(mean: PerImage, p_dark: float, generator: torch.Generator) -> PerImage:
    """How much darker or brighter than its place a lesion is."""
    n = len(mean)
    darker = -mean * _each(n, 0.12, 0.95, generator)
    brighter = (1 - mean).clamp(min=0.15) * _each(n, 0.15, 1.0, generator)
    return torch.where(_happens(n, p_dark, generator), darker, brighter)


def _like_the_middle(x: Images, m: Images, generator: torch.Generator) -> Images:
    """Soft mask of what has about the grey of the lesion's place: oedema spares other tissue."""
    n = len(x)
    near = (x - _mean_under(x, m)).abs() < _each(n, 0.08, 0.25, generator)
    return blur(near.float(), torch.full((n,), 0.7, device=x.device), radius=2)


def _mean_under(x: Images, m: Images) -> PerImage:
    return (x * m).sum(dim=(1, 2), keepdim=True) / m.sum(dim=(1, 2), keepdim=True).clamp(min=1e-3)


def _distance(inside: Insides, elongation: float, generator: torch.Generator) -> Images:
    """Distance of every pixel from a random brain pixel, px; longer across a random axis."""
    n, height, width = inside.shape
    weights = inside.flatten(1).float()
    weights = torch.where(weights.any(dim=1, keepdim=True), weights, torch.ones_like(weights))
    flat = torch.multinomial(weights, 1, generator=generator)
    device = generator.device
    i = (
        torch.arange(height, device=device)[None, :, None]
        - flat.div(width, rounding_mode="floor")[:, :, None]
    )
    j = torch.arange(width, device=device)[None, None, :] - (flat % width)[:, :, None]
    angle = _each(n, 0.0, torch.pi, generator)
    stretch = torch.exp(_each(n, 0.0, 0.5 * math.log(elongation), generator))
    along = (torch.cos(angle) * i + torch.sin(angle) * j) / stretch
    across = (torch.cos(angle) * j - torch.sin(angle) * i) * stretch
    return torch.sqrt(along**2 + across**2)


def _each(n: int, low: float, high: float, generator: torch.Generator) -> PerImage:
    return uniform(n, low, high, generator)[:, None, None]


def _happens(n: int, p: float, generator: torch.Generator) -> Bool[Tensor, "batch 1 1"]:
    return _each(n, 0, 1, generator) < p
