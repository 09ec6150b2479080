"""What is read of the sequence from DICOM headers, single-frame and enhanced, and what is not."""

from typing import Any

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import BaseTag

from disyre.adapters.archive import ArchiveLimits, read_members
from disyre.adapters.dicom_inspection import check_dicom, inspect_dicom, survey_dicom
from disyre.adapters.dicom_read import read_dicom
from disyre.adapters.dicom_sequence import sequence_of
from disyre.admission import ignore
from disyre.errors import InvalidParams, MultipleVolumes, NotAnImage
from disyre.modality import Guess
from tests.dicom_phantom import assert_is_phantom, encoded, make_enhanced, make_series
from tests.real_data import real_data

FLAIR: dict[str, Any] = {
    "ScanningSequence": ["SE", "IR"],
    "RepetitionTime": 9000,
    "EchoTime": 120,
    "InversionTime": 2500,
    "EchoTrainLength": 16,
}
T1W: dict[str, Any] = {"ScanningSequence": "SE", "RepetitionTime": 600, "EchoTime": 12}
GRE: dict[str, Any] = {"ScanningSequence": "GR", "RepetitionTime": 25, "EchoTime": 5, "FlipAngle": 30}


def recognised(**attributes: Any) -> Guess:
    return check_dicom(encoded(make_series(6, **attributes)))


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (FLAIR, "FLAIR"),
        (T1W, "T1w"),
        (GRE, "T1w"),
        ({**GRE, "AngioFlag": "Y"}, "angio"),
        ({**GRE, "SequenceVariant": ["SS", "SP"], "FlipAngle": 5}, "PDw"),
        ({**GRE, "ScanOptions": "FC", "MRAcquisitionType": "3D"}, None),
        ({**T1W, "DiffusionBValue": 1000.0}, "dwi"),
        ({**T1W, "ImageType": ["DERIVED", "PRIMARY", "ADC"]}, "dwi"),
        ({**GRE, "ComplexImageComponent": "PHASE"}, "phase"),
        ({**GRE, "ComplexImageComponent": "IMAGINARY"}, "imaginary"),
        ({**GRE, "ComplexImageComponent": "REAL"}, None),
        ({**GRE, "ImageType": ["DERIVED", "PRIMARY", "M", "QSM"]}, "map"),
        ({**GRE, "ImageType": ["ORIGINAL", "PRIMARY", "R_FFE", "R", "FFE"]}, None),
        ({**GRE, "AcquisitionContrast": "T2_STAR"}, None),
    ],
)
def test_a_series_is_recognised_by_its_sequence(attributes: dict[str, Any], expected: str | None) -> None:
    found = recognised(**attributes)

    assert (found.name, found.source) == (expected, "header")


def test_a_series_without_parameters_has_no_source_of_a_contrast() -> None:
    found = recognised()

    assert (found.name, found.source) == (None, None)


@pytest.mark.parametrize("n_slices", [1, 3])
def test_too_few_slices_claim_no_contrast(n_slices: int) -> None:
    (found,) = inspect_dicom(encoded(make_series(n_slices, **GRE)), ignore)

    assert found.code == "too-few-slices"
    assert found.modality is not None
    assert (found.modality.name, found.modality.source) == (None, None)
    assert "localizer" in found.modality.reason


@pytest.mark.parametrize(
    "damaged",
    [
        {"RepetitionTime": -600},
        {"RepetitionTime": 0},
        {"RepetitionTime": ""},
        {"RepetitionTime": "nan"},
        {"ScanningSequence": "?"},
    ],
)
def test_what_is_damaged_is_not_known_and_no_reason_to_refuse(damaged: dict[str, Any]) -> None:
    assert recognised(**{**T1W, **damaged}).name is None


def test_a_number_that_is_none_is_not_known() -> None:
    series = make_series(6, **{**T1W, "RepetitionTime": "617.25"})
    images = [image.replace(b"617.25", b"slower") for image in encoded(series)]

    assert b"slower" in images[0]
    assert check_dicom(images).name is None


def test_a_number_that_is_cut_off_is_not_known() -> None:
    header = Dataset()
    header[0x00189087] = RawDataElement(BaseTag(0x00189087), "FD", 3, b"abc", 0, False, True)

    assert sequence_of(header, header).b_value is None


def test_where_there_are_no_images_nothing_is_listed() -> None:
    with pytest.raises(NotAnImage):
        inspect_dicom([b"text"], ignore)


def test_no_text_that_a_person_wrote_is_looked_at() -> None:
    found = recognised(
        SeriesDescription="CANARY t2 flair", ProtocolName="CANARY t2", ContrastBolusAgent="CANARY"
    )

    assert found.name is None
    assert "CANARY" not in found.reason


@pytest.mark.parametrize(
    ("agent", "is_given"),
    [
        ("Gd", True),
        ("NONE", False),
        ("", False),
        ("n/a", False),
        ("-", False),
        ("kein KM", False),
        ("nativ", False),
    ],
)
def test_a_contrast_agent_is_told(agent: str, is_given: bool) -> None:
    assert recognised(**T1W, ContrastBolusAgent=agent).reason.endswith("after a contrast agent") == is_given


def group(**attributes: Any) -> Items:
    item = Dataset()
    for name, value in attributes.items():
        setattr(item, name, value)
    return Items([item])


def enhanced(*, top: dict[str, Any], **groups: Items) -> Guess:
    """What an enhanced image with these functional groups for all frames is recognised as."""
    image = make_enhanced(make_series(6))
    for name, value in top.items():
        setattr(image, name, value)
    for name, items in groups.items():
        setattr(image.SharedFunctionalGroupsSequence[0], name, items)
    return check_dicom(encoded([image]))


def test_enhanced_images_are_recognised_by_their_functional_groups() -> None:
    timing = group(RepetitionTime=9000.0, RFEchoTrainLength=16, FlipAngle=90.0)
    inversion = group(InversionRecovery="YES", InversionTimes=[2500.0])

    flair = enhanced(
        top={"EchoPulseSequence": "SPIN", "AcquisitionContrast": "FLUID_ATTENUATED"},
        MRTimingAndRelatedParametersSequence=timing,
        MRModifierSequence=inversion,
        MREchoSequence=group(EffectiveEchoTime=120.0),
    )

    assert flair.name == "FLAIR"
    assert flair.reason == "inversion recovery, TR 9000 ms, TE 120 ms, TI 2500 ms"


@pytest.mark.parametrize(
    ("top", "modifier", "expected"),
    [
        ({"EchoPulseSequence": "GRADIENT", "Spoiling": "RF"}, {}, "T1w"),
        ({"EchoPulseSequence": "GRADIENT", "SteadyStatePulseSequence": "FREE_PRECESSION"}, {}, "T1w"),
        ({"EchoPulseSequence": "GRADIENT", "TimeOfFlightContrast": "YES"}, {}, "angio"),
        ({"EchoPulseSequence": "GRADIENT", "EchoPlanarPulseSequence": "YES"}, {}, "epi"),
        (
            {"EchoPulseSequence": "GRADIENT", "MRAcquisitionType": "3D"},
            {"FlowCompensation": "ACCELERATION"},
            None,
        ),
        ({"EchoPulseSequence": "GRADIENT", "AcquisitionContrast": "DIFFUSION"}, {}, "dwi"),
        ({}, {}, None),
    ],
)
def test_the_words_of_enhanced_images_are_understood(
    top: dict[str, Any], modifier: dict[str, Any], expected: str | None
) -> None:
    found = enhanced(
        top=top,
        MRTimingAndRelatedParametersSequence=group(RepetitionTime=25.0, FlipAngle=30.0),
        MRModifierSequence=group(**modifier),
        MREchoSequence=group(EffectiveEchoTime=5.0),
    )

    assert found.name == expected


def test_the_b_value_of_enhanced_images_is_read() -> None:
    assert enhanced(top={}, MRDiffusionSequence=group(DiffusionBValue=800.0)).name == "dwi"


FIRST, SECOND, THIRD = "1.2.1", "1.2.2", "1.2.3"


def test_a_part_of_a_stack_that_is_picked_by_its_series_is_read_with_a_warning() -> None:
    images = make_series(12)
    for image in images[6:]:
        image.SeriesInstanceUID = "1.2.2"
    warnings: list[str] = []

    volume = read_dicom(encoded(images), series="1.2.2", on_warning=warnings.append)

    assert volume.shape == (9, 7, 6)
    assert_is_phantom(volume)
    assert [warning.partition(":")[0] for warning in warnings] == [
        "the stack of this series, with 6 images, goes on in another series of the study (6 images)"
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"AcquisitionDate": "20240102", "AcquisitionTime": "101112.5"}, {"AcquisitionTime": "131415"}),
        ({"AcquisitionDateTime": "20240102101112.5"}, {"AcquisitionDateTime": "20240102131415"}),
        ({"SeriesNumber": 4}, {"SeriesNumber": 5}),
    ],
    ids=["date and time", "both in one", "series"],
)
def test_two_runs_of_a_sequence_are_told_apart_without_date_and_time(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    runs = [*make_series(6, SeriesInstanceUID="1.2.1", **one)]
    runs += make_series(6, SeriesInstanceUID="1.2.2", **{**one, **other})

    told = [each.description for each in inspect_dicom(encoded(runs), ignore)]

    is_numbered = "SeriesNumber" in one
    assert [words.rpartition(", ")[2] for words in told] == (
        ["series 4", "series 5"] if is_numbered else ["acquired first", "acquired second"]
    )
    assert "2024" not in "".join(told)


def study() -> list[bytes]:
    """A FLAIR, a T1w of two echoes, and a T1w of which a slice is missing."""
    flair = make_series(6, SeriesInstanceUID=FIRST, **FLAIR)
    echoes = [make_series(6, SeriesInstanceUID=SECOND, **{**T1W, "EchoTime": te}) for te in (12, 24)]
    gap = make_series(8, SeriesInstanceUID=THIRD, **T1W)
    del gap[3]
    return encoded([*flair, *echoes[0], *echoes[1], *gap])


def test_each_series_of_a_study_is_one_volume_or_says_why_not() -> None:
    found = survey_dicom(study(), ignore)

    assert [(each.series_uid, each.n, each.code) for each in found] == [
        (FIRST, 6, None),
        (SECOND, 12, "multiple-volumes"),
        (THIRD, 7, "irregular-slices"),
    ]
    assert [each.modality.name for each in found if each.modality] == ["FLAIR", "T1w", "T1w"]


def test_a_series_that_is_too_large_says_so() -> None:
    (found,) = survey_dicom(encoded(make_series(6)), ignore, max_voxels=100)

    assert found.code == "too-large"


def test_a_series_of_two_echoes_cannot_be_picked_by_its_uid() -> None:
    with pytest.raises(MultipleVolumes, match="they are of one series") as refused:
        check_dicom(study(), series=SECOND)

    assert len(refused.value.candidates) == 4
    with pytest.raises(
        MultipleVolumes, match=r"only one can be scored, 6 axial .* series_uid picks it, and so does"
    ):
        check_dicom(study())


def test_other_series_do_not_count_when_one_is_read() -> None:
    volume = read_dicom(study(), series=FIRST, max_voxels=9 * 7 * 6)

    assert volume.shape == (9, 7, 6)
    with pytest.raises(InvalidParams):
        read_dicom(study(), series="9.9")


def test_of_a_real_series_without_parameters_nothing_is_said() -> None:
    series = read_members(real_data("dicom_t1w_head/series.zip"), ArchiveLimits())

    (found,) = inspect_dicom(series, ignore)

    assert found.modality is not None
    assert (found.modality.name, found.code) == (None, None)
