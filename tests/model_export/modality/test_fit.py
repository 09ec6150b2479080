"""The classifier of contrasts: fitted on brains of known modality, and judged on subjects it has not seen."""

from pathlib import Path

import numpy as np
import pytest

from disyre.contrast import LEAST_CERTAINTY, ContrastClassifier
from disyre.contrast_features import NAMES
from disyre.modality import MODALITIES, Modality
from model_export.modality import fit as fitting
from model_export.modality.brains import AS_IS, Brain


def make_brains(
    *, n_subjects: int = 6, spread: float = 0.05, seed: int = 0, odd: str | None = None
) -> list[Brain]:
    """Brains whose features lie around a point of their modality; those of `odd` lie around another one's."""
    rng = np.random.default_rng(seed)
    brains = []
    for number in range(n_subjects):
        for place, modality in enumerate(MODALITIES):
            subject = f"sub-{number}"
            shown = (place + 1) % len(MODALITIES) if subject == odd else place
            centre = np.where(np.arange(len(NAMES)) % len(MODALITIES) == shown, 1.0, 0.0)
            for variant in (AS_IS, "shaded"):
                features = centre + spread * rng.standard_normal(len(NAMES))
                brains.append(Brain(subject, modality, variant, variant == AS_IS, features))
    return brains


@pytest.mark.parametrize("modality", MODALITIES)
def test_brains_of_a_new_subject_are_recognised_by_a_classifier_of_others(modality: Modality) -> None:
    classifier = fitting.fit(make_brains(seed=0))
    (other, *_) = (each for each in make_brains(n_subjects=1, seed=1) if each.modality == modality)

    guess = classifier.guess(other.features)

    assert guess.name == modality
    assert classifier.probabilities(other.features)[modality] > LEAST_CERTAINTY


def test_nothing_is_said_of_features_far_from_all_that_was_seen() -> None:
    classifier = fitting.fit(make_brains())
    (first, *_) = make_brains(n_subjects=1, seed=1)

    guess = classifier.guess(np.asarray(first.features) * 5)

    assert guess.name is None
    assert "unlike the scans that are known" in guess.reason


def test_what_was_seen_is_usual() -> None:
    brains = make_brains()
    classifier = fitting.fit(brains)
    for each in brains:
        least, most = np.array(classifier.classes[each.modality].usual).T
        assert (each.features > least).all()
        assert (each.features < most).all()


def test_many_brains_of_one_modality_do_not_outweigh_the_others() -> None:
    """Real scans are nearly all T1w; the intercepts must not learn that."""
    brains = make_brains(spread=0.4)
    many = brains + [each for each in brains if each.modality == "T1w"] * 9

    alike, unbalanced = fitting.fit(brains), fitting.fit(many)

    middle = np.array(alike.mean)
    shares = [classifier.probabilities(middle)["T1w"] for classifier in (alike, unbalanced)]
    assert abs(shares[0] - shares[1]) < 0.05


def test_a_subject_that_is_left_out_is_not_learnt_by_heart() -> None:
    """Of many subjects that agree and one that does not, the odd one is told wrong, and only that one."""
    table = fitting.leave_one_out(make_brains(n_subjects=30, odd="sub-3")).splitlines()

    as_is = [line for line in table if AS_IS in line]
    assert len(as_is) == len(MODALITIES)
    for line in as_is:
        assert line.endswith("29 right, 0 nothing, 1 WRONG")


def test_features_come_back_from_their_file_as_they_were(tmp_path: Path) -> None:
    brains = make_brains(n_subjects=1)
    fitting._write(tmp_path / "features.npz", brains)

    again = fitting._read(tmp_path / "features.npz")

    assert [each.subject for each in again] == [each.subject for each in brains]
    assert fitting.fit(again) == fitting.fit(brains)


def test_the_classifier_that_ships_has_the_features_that_are_measured() -> None:
    shipped = ContrastClassifier.shipped()
    assert shipped.names == NAMES
    assert set(shipped.classes) == set(MODALITIES)
