"""The options of a job as the command line spells them; what they mean is said in docs/api.md."""

import argparse
from typing import Any, Final

_NUMBERS: Final = "with commas between, such as 0.8,0.5,0.2"


def add_options(parser: argparse.ArgumentParser, *, is_queued: bool = True) -> None:
    """Let a command take all options of a job; without those that only mean something where it is queued."""
    group = parser.add_argument_group("options of the job", "see docs/api.md; without one the model decides")
    group.add_argument("--model", help="name of the model that scores the scan, whatever that is")
    group.add_argument("--version", help="version of the model; the newest if it is left out")
    group.add_argument("--modality", choices=("T1w", "T2w", "FLAIR"), help="what the scan is")
    group.add_argument("--mode", choices=("ensemble", "stepwise"), help="how it is restored")
    group.add_argument("--severities", type=_numbers, metavar="LIST", help=f"above 0, at most 1, {_NUMBERS}")
    group.add_argument("--preset", choices=("parity",), help="as the public reference implementation does")
    group.add_argument(
        "--bias-correction", action=argparse.BooleanOptionalAction, help="divide by the shading"
    )
    group.add_argument("--align", action=argparse.BooleanOptionalAction, help="turn a tilted head upright")
    group.add_argument("--threshold", type=float, help="value of the map above which a region is reported")
    group.add_argument(
        "--outputs",
        type=_words,
        metavar="LIST",
        help="of nifti, scan, restored, mask, png and, of DICOM, pm, seg, sc, sr, with commas between; "
        "without it, all that suit the scan",
    )
    group.add_argument("--series-uid", metavar="UID", help="which series of several")
    group.add_argument("--volume-index", type=int, metavar="N", help="which volume of a NIfTI file, from 0")
    if is_queued:
        _add_options_of_a_queue(group)


def _add_options_of_a_queue(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--priority", choices=("low", "normal", "high"), help="what is higher begins first")
    group.add_argument("--callback", metavar="URL", help="is called when the job has ended")
    group.add_argument("--export", metavar="SERVER", help="archive that gets the results as DICOM")
    group.add_argument(
        "--retention-s", type=int, metavar="S", help="keep the job for so many seconds once it is finished"
    )
    group.add_argument(
        "--label", type=_label, action="append", dest="labels", metavar="NAME=VALUE", help="may be repeated"
    )


OPTIONS: Final = (
    *("model", "version", "modality", "mode", "severities", "preset", "bias_correction", "align"),
    *("threshold", "outputs", "series_uid", "volume_index", "priority", "retention_s", "callback", "export"),
    "labels",
)
"""The names of all options."""


def given_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options that were given, by the names that the API has for them."""
    options = {name: getattr(arguments, name, None) for name in OPTIONS}
    given = {name: value for name, value in options.items() if value is not None}
    return {**given, "labels": dict(given["labels"])} if "labels" in given else given


def _numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers {_NUMBERS}") from None


def _words(text: str) -> list[str]:
    return text.split(",")


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError("expected NAME=VALUE")
    return name, value
