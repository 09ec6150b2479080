"""What contrast a scan has by its image, for scans whose header says nothing: a few numbers, weighed.

Logistic regression over `disyre.contrast_features`, fitted by `model_export.modality.fit`. It is certain, or
says nothing; and it says nothing of a brain that is unlike all that it was fitted on.
"""

import math
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Self

import numpy as np
from pydantic import Field, model_validator

from disyre import contrast_features
from disyre.crop import Crop
from disyre.frozen import Frozen
from disyre.modality import Guess, Modality
from disyre.progress import OnStep, go_on
from disyre.types import Features, Mask
from disyre.volume import Volume

CLASSIFIER_FILE: Final = Path(__file__).with_suffix(".json")
LEAST_CERTAINTY: Final = 0.9
"""Probability below which a scan is not recognised."""
_LEAST_LIKELY: Final = 0.5
"""Probability below which nothing is more likely than the rest."""

_NO_BRAIN: Final = "the brain is too small or too thin to tell the contrast from its image"
_BOX: Final = "the mask is a box, and not the outline of a brain by whose shells the contrast could be told"
_BOX_SHARE: Final = 0.9
"""Of the smallest box around a mask: a slab of a brain fills less than an ellipse would, 0.79."""


class ContrastClass(Frozen):
    """One contrast: the weight of each feature for it, and where its features lie."""

    weights: tuple[float, ...]
    """Of features in units of their scale."""
    intercept: float
    usual: tuple[tuple[float, float], ...]
    """Least and most of each feature in scans of this contrast, with a margin."""


class ContrastClassifier(Frozen):
    """Tells contrasts apart by features."""

    names: Annotated[tuple[str, ...], Field(min_length=1)]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    """Features less their mean, by their scale, are weighed."""
    classes: dict[Modality, ContrastClass]

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        parts = [self.mean, self.scale, *(c.weights for c in self.classes.values())]
        if any(len(part) != len(self.names) for part in (*parts, *(c.usual for c in self.classes.values()))):
            raise ValueError(f"expected {len(self.names)} numbers for as many features, got others")
        return self

    @classmethod
    @cache
    def shipped(cls) -> Self:
        """The one that ships."""
        return cls.model_validate_json(CLASSIFIER_FILE.read_bytes())

    def probabilities(self, features: Features) -> dict[Modality, float]:
        """How probable each contrast is, among those that are known."""
        relative = (features - np.array(self.mean)) / np.array(self.scale)
        scores = np.array([relative @ np.array(c.weights) + c.intercept for c in self.classes.values()])
        shares = np.exp(scores - scores.max())
        return dict(zip(self.classes, (shares / shares.sum()).tolist(), strict=True))

    def guess(self, features: Features) -> Guess:
        """The contrast of features, if it is certain and they are usual for it."""
        probabilities = self.probabilities(features)
        name = max(probabilities, key=lambda name: probabilities[name])
        percent = f"{100 * min(probabilities[name], 0.999):.3g} %"
        odd = self._unusual(name, features)
        if probabilities[name] < LEAST_CERTAINTY:
            likely = name if probabilities[name] >= _LEAST_LIKELY else None
            return _nothing(f"its image looks most like {name}, but that is not certain ({percent})", likely)
        if odd is not None:
            return _nothing(
                f"its image looks most like {name}, but the brain is unlike the scans that are known, most "
                f"of all in {contrast_features.in_words(odd)}",
                name,
            )
        return Guess(name=name, source="image", reason=f"fluid, cortex and white matter look so, {percent}")

    def _unusual(self, name: Modality, features: Features) -> str | None:
        """The feature that is furthest out of what is usual; None if none is."""
        out = [
            max(least - value, value - most) / scale
            for value, scale, (least, most) in zip(
                features.tolist(), self.scale, self.classes[name].usual, strict=True
            )
        ]
        return self.names[int(np.argmax(out))] if max(out) > 0 else None


def recognize(volume: Volume, brain_mask: Mask, *, on_step: OnStep = go_on) -> Guess:
    """The contrast of a brain in a scan, by its image. `on_step` is called between the steps of this."""
    features = contrast_features.measure(volume, brain_mask, on_step=on_step)
    if features is None:
        return _nothing(_NO_BRAIN)
    return _nothing(_BOX) if _is_box(brain_mask) else ContrastClassifier.shipped().guess(features)


def _is_box(mask: Mask) -> bool:
    around = Crop.around(mask)
    return int(np.count_nonzero(mask)) > _BOX_SHARE * math.prod(around.size)


def _nothing(reason: str, likely: Modality | None = None) -> Guess:
    return Guess(name=None, source="image", reason=reason, likely=likely)
