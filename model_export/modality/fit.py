"""Fits the classifier and says how well it does on subjects that it was not fitted on.

    python -m model_export.modality.fit FOLDER_OF_DATA FEATURES.npz

Features are measured once (some 15 minutes) and kept in the file. The classifier goes where `disyre.contrast`
reads it; the table goes to the screen.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from disyre.contrast import CLASSIFIER_FILE, ContrastClass, ContrastClassifier
from disyre.contrast_features import NAMES
from disyre.modality import MODALITIES
from model_export.modality.brains import AS_IS, Brain, painted_brains, real_brains

_PENALTY: Final = 0.0022
"""Of the squared weights, beside the mean loss of a brain."""
_MARGIN: Final = 0.25
"""What is usual goes on beyond what was seen by this share of a feature's scale."""
_MODELS: Final = Path("models")


def fit(brains: Sequence[Brain]) -> ContrastClassifier:
    """Multinomial logistic regression; real and painted brains of each modality weigh the same together."""
    features = np.array([each.features for each in brains])
    known = np.array([MODALITIES.index(each.modality) for each in brains])
    groups = [(each.modality, each.is_real) for each in brains]
    weight = np.array([1 / groups.count(group) for group in groups])
    mean, scale = features.mean(axis=0), features.std(axis=0)
    slopes, intercepts = _minimum((features - mean) / scale, known, weight / weight.sum())
    margin = _MARGIN * scale
    classes = {}
    for place, modality in enumerate(MODALITIES):
        seen = features[known == place]
        limits = zip(seen.min(axis=0) - margin, seen.max(axis=0) + margin, strict=True)
        classes[modality] = ContrastClass(
            weights=_rounded(slopes[:, place]),
            intercept=float(f"{intercepts[place]:.4g}"),
            usual=tuple((_rounded(each)[0], _rounded(each)[1]) for each in limits),
        )
    return ContrastClassifier(names=NAMES, mean=_rounded(mean), scale=_rounded(scale), classes=classes)


def _minimum(
    relative: npt.NDArray[np.float64], known: npt.NDArray[np.intp], weight: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weights (feature, modality) and intercepts of the least penalised loss."""
    n_features, n = relative.shape[1], len(MODALITIES)
    target = np.eye(n)[known]

    def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        slopes, intercepts = flat[: n_features * n].reshape(n_features, n), flat[n_features * n :]
        scores = relative @ slopes + intercepts
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        away = weight[:, np.newaxis] * (shares - target)
        value = -weight @ np.log((shares * target).sum(axis=1) + 1e-12) + _PENALTY * (slopes**2).sum() / 2
        return float(value), np.concatenate(
            [(relative.T @ away + _PENALTY * slopes).ravel(), away.sum(axis=0)]
        )

    found = minimize(loss, np.zeros((n_features + 1) * n), jac=True, method="L-BFGS-B").x
    return found[: n_features * n].reshape(n_features, n), found[n_features * n :]


def _rounded(values: Sequence[float] | npt.NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(f"{value:.4g}") for value in values)


def leave_one_out(brains: Sequence[Brain]) -> str:
    """A line for each modality: real scans of subjects that the classifier was not fitted on."""
    subjects = sorted({each.subject for each in brains if each.is_real})
    told: dict[tuple[str, bool], list[str]] = {}
    for subject in subjects:
        classifier = fit([each for each in brains if each.subject != subject])
        for each in brains:
            if each.subject == subject:
                name = classifier.guess(each.features).name
                verdict = "nothing" if name is None else "right" if name == each.modality else "WRONG"
                told.setdefault((each.modality, each.variant == AS_IS), []).append(verdict)
                if each.variant == AS_IS and verdict != "right":
                    sys.stdout.write(f"{subject} {each.modality}: {verdict} {name or ''}\n")
    return "\n".join(
        f"{modality}, {AS_IS if as_is else 'changed'}: "
        + ", ".join(f"{found.count(verdict)} {verdict}" for verdict in ("right", "nothing", "WRONG"))
        for (modality, as_is), found in sorted(told.items())
    )


def main() -> None:
    """Measure, fit, and say how well it does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("features", type=Path)
    options = parser.parse_args()
    if not options.features.exists():
        _write(options.features, [*real_brains(options.data, _MODELS), *painted_brains(options.data)])
    brains = _read(options.features)
    CLASSIFIER_FILE.write_text(fit(brains).model_dump_json(indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(leave_one_out(brains) + "\n")


def _write(path: Path, brains: Sequence[Brain]) -> None:
    columns: dict[str, Any] = {
        name: np.array([getattr(each, name) for each in brains]) for name in Brain.__annotations__
    }
    np.savez(path, **columns)


def _read(path: Path) -> list[Brain]:
    with np.load(path) as columns:
        rows = zip(*(columns[name].tolist() for name in Brain.__annotations__), strict=True)
        return [Brain(s, m, v, r, np.array(features)) for s, m, v, r, features in rows]


if __name__ == "__main__":
    main()
