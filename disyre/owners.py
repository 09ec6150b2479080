"""Whose images are that do not say so themselves, by the others of their series."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from disyre.series import Images
from disyre.series_warnings import OnSeriesWarning
from disyre.stacks import Origin
from disyre.wording import counted


def with_owners(images: Images, on_series_warning: OnSeriesWarning) -> Images:
    """The same images, those without a PatientID being of the one patient of their series, with a warning.

    Not if they name another person than the others, or if these are of several patients. Of who has a
    PatientID, name and date of birth say no more.
    """
    owners = _owners({*(image.origin for image in images.slices), *(each.origin for each in images.rejects)})
    slices = [
        image if owners[image.origin] == image.origin else replace(image, **owners[image.origin]._asdict())
        for image in images.slices
    ]
    owned = {reject: replace(reject, origin=owners[reject.origin]) for reject in images.rejects}
    rejects = [owned[reject] for reject in images.rejects]
    origins = [*(image.origin for image in images.slices), *(each.origin for each in images.rejects)]
    silent = Counter(origin.series for origin in origins if owners[origin].patient != origin.patient)
    for series, n in silent.items():
        do, are = ("does", "is") if n == 1 else ("do", "are")
        on_series_warning(
            series,
            f"{counted(n, 'image')} {do} not state the PatientID that the others of the series do, "
            f"and {are} taken to be of the same patient",
        )
    return Images(slices, rejects)


def _owners(origins: Iterable[Origin]) -> dict[Origin, Origin]:
    """For each origin, the same with what the others of its series say of the patient."""
    of_series: dict[tuple[str, str], list[Origin]] = {}
    for origin in origins:
        of_series.setdefault((origin.study, origin.series), []).append(origin)
    return {origin: _owned(origin, others) for others in of_series.values() for origin in others}


def _owned(origin: Origin, others: Iterable[Origin]) -> Origin:
    """An origin with the patient of its series, if that has one; `others` are all origins in it."""
    patients = {other.patient for other in others} - {""}
    persons = {other.person for other in others if other.patient or not patients} - {""}
    if origin.patient:
        return origin._replace(person="")
    if len(patients) == 1 and (not origin.person or persons <= {origin.person}):
        return origin._replace(patient=min(patients), person="")
    if not patients and len(persons) == 1:
        return origin._replace(person=min(persons))
    return origin
