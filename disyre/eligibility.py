"""Rules that say which series from a PACS are scored, and what of the results is sent where.

They are read from a TOML file, see docs/pacs.md.
"""

import re
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from disyre.ae_title import AE_TITLE
from disyre.errors import Misconfigured
from disyre.modality import Modality
from disyre.outputs import DicomOutput, Output, computed_for, sent_of
from disyre.rule_words import wrong_in_words

_MODALITIES: Final = re.compile(
    "AU|BI|CR|CT|DG|DOC|DX|ECG|EEG|EMG|EPS|ES|FID|GM|IO|IVUS|KO|M3D|MG|MR|NM|OCT|OP|OT|PR|PT|PX|REG|RF|RG|"
    "RTDOSE|RTIMAGE|RTPLAN|RTRECORD|RTSTRUCT|RWV|SC|SEG|SM|SMR|SR|TG|US|XA|XC"
)
"""Defined terms of Modality (PS3.3, C.7.3.1.1.1), but for rare ones."""
_NAME: Final = r"^[a-z0-9][a-z0-9._-]{0,62}$"

Name = Annotated[str, Field(pattern=_NAME)]
AeTitle = Annotated[str, Field(pattern=AE_TITLE)]


@dataclass(frozen=True)
class SeriesFacts:
    """What the rules look at."""

    modality: str
    description: str
    n_slices: int
    """Images, or the frames of all of them."""
    thickness_mm: float | None
    """None if the images do not say it."""
    number: int | None = None
    """By which people know the series in its study; None if the images do not say it."""

    @property
    def labels(self) -> dict[str, str]:
        """What a job of the series is labelled with, for people; nothing of a patient."""
        return {} if self.number is None else {"series": str(self.number)}


@dataclass(frozen=True)
class Mismatch:
    """Why a rule does not take a series."""

    rule: str
    what: str
    expected: str
    seen: str
    """A number or a code, never what a person may have written: that may be about a patient."""

    def __str__(self) -> str:
        return f"rule {self.rule}: expected {self.what} {self.expected}, got {self.seen}"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Destination(_Strict):
    """A DICOM node that takes results by C-STORE."""

    ae_title: AeTitle
    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(gt=0, lt=2**16)]
    tls: bool = False
    """Whether to speak TLS with it; its certificate is checked."""
    ca_file: str | None = None
    """Whom to believe its certificate; None is whom this machine believes."""
    cert_file: str | None = None
    """The certificate that it is shown if it asks for one, perhaps with others up to an authority."""
    key_file: str | None = None
    """The key of that certificate, without a passphrase."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("expected cert_file and key_file together, got one")
        for name in ("ca_file", "cert_file"):
            if getattr(self, name) is not None and not self.tls:
                raise ValueError(f"expected tls = true where there is a {name}")
        return self


class Rule(_Strict):
    """Which series are scored, and where the results go. What is left out does not matter."""

    name: Name
    modality: Annotated[tuple[str, ...], Field(min_length=1)] = ("MR",)
    descriptions: tuple[str, ...] = ()
    """Patterns (`*`, `?`, `[...]`) for the series description; case does not matter. One has to fit."""
    not_descriptions: tuple[str, ...] = ()
    """And of these none may."""
    min_slices: Annotated[int, Field(ge=1)] = 1
    max_slices: Annotated[int, Field(ge=1)] | None = None
    min_thickness_mm: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    max_thickness_mm: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    model: str | None = None
    """Which model scores it; None is the service's choice."""
    contrast: Modality | None = None
    """What the images are; None has it recognised."""
    send_to: tuple[Name, ...] = ()
    """Names of destinations."""
    outputs: Annotated[tuple[DicomOutput, ...], Field(min_length=1)] = ("pm", "seg", "sc", "sr")
    """Which results are sent."""

    @model_validator(mode="after")
    def _can_take_something(self) -> Self:
        for what in ("slices", "thickness_mm"):
            least, most = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            if least is not None and most is not None and least > most:
                raise ValueError(f"expected min_{what} of at most max_{what}, got {least:g} and {most:g}")
        excluded = {each.casefold() for each in self.not_descriptions}
        wanted = {each.casefold() for each in self.descriptions} or {"*"}
        if "*" in excluded or wanted <= excluded:
            raise ValueError("expected descriptions that not_descriptions leave something of, got others")
        return self

    @property
    def sent(self) -> tuple[DicomOutput, ...]:
        """Which results are sent, with those that a report refers to."""
        return sent_of(self.outputs)

    @property
    def computed(self) -> tuple[Output, ...]:
        """Which results the job is asked for: those that are sent, and those that its page shows."""
        return computed_for(self.outputs)

    def mismatches(self, series: SeriesFacts) -> Iterator[Mismatch]:
        """All that speaks against a series."""
        if series.modality not in self.modality:
            yield Mismatch(self.name, "modality", " or ".join(self.modality), _code(series.modality))
        yield from self._of_description(series.description)
        if not self.min_slices <= series.n_slices <= (self.max_slices or series.n_slices):
            expected = _between(self.min_slices, self.max_slices)
            yield Mismatch(self.name, "slices", expected, str(series.n_slices))
        yield from self._of_thickness(series.thickness_mm)

    def _of_description(self, description: str) -> Iterator[Mismatch]:
        seen = "another" if description else "none"
        if self.descriptions and not _fits(description, self.descriptions):
            expected = "like " + " or ".join(self.descriptions)
            yield Mismatch(self.name, "a description", expected, seen)
        if _fits(description, self.not_descriptions):
            fitting = [each for each in self.not_descriptions if _fits(description, (each,))]
            expected = "unlike " + " and ".join(self.not_descriptions)
            yield Mismatch(self.name, "a description", expected, "one like " + " and ".join(fitting))

    def _of_thickness(self, seen: float | None) -> Iterator[Mismatch]:
        least, most = self.min_thickness_mm, self.max_thickness_mm
        if least is None and most is None:
            return
        if seen is None or seen < (least or 0) or seen > (most or seen):
            shown = "none" if seen is None else f"{seen:g} mm"
            yield Mismatch(self.name, "a slice thickness", f"{_between(least, most)} mm", shown)


class Rules(_Strict):
    """What a rules file holds."""

    destinations: dict[Name, Destination] = Field(default_factory=dict)
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _fit_together(self, info: ValidationInfo) -> Self:
        names = [rule.name for rule in self.rules]
        if len(set(names)) != len(names):
            raise ValueError("expected rules with different names")
        known = {*self.destinations, *(info.context or ())}
        if unknown := {each for rule in self.rules for each in rule.send_to} - known:
            raise ValueError(f"expected destinations that are in the file, got {', '.join(sorted(unknown))}")
        return self

    @property
    def digest(self) -> str:
        """Which rules these are, wherever results go: the same for the same ones."""
        return sha256(self.model_dump_json(include={"rules"}).encode()).hexdigest()

    def missed_models(self, models: Collection[str]) -> Iterator[str]:
        """Of each rule whose model is not among these, a sentence that says so."""
        for rule in self.rules:
            if rule.model is not None and rule.model not in models:
                there = ", ".join(sorted(models)) or "none"
                yield f"rule {rule.name}: expected a model that is there ({there}), got {rule.model}"

    def judge(self, series: SeriesFacts) -> Rule | tuple[Mismatch, ...]:
        """The first rule that takes a series, or why each does not."""
        found: list[Mismatch] = []
        for rule in self.rules:
            against = tuple(rule.mismatches(series))
            if not against:
                return rule
            found += against
        return tuple(found)


def parse_rules(text: str, *, archives: Collection[str] = ()) -> Rules:
    """The rules in a TOML text; results may be sent to `archives` too, which are not in it.

    Raises Misconfigured.
    """
    try:
        content = tomllib.loads(text)
        return Rules.model_validate(content, context=archives)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"the rules are no TOML: {error}") from error
    except ValidationError as error:
        wrong = wrong_in_words(error, content, {"": Rules, "rules": Rule, "destinations": Destination})
        raise Misconfigured(f"wrong rules: {wrong}") from error


def _fits(description: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(description.casefold(), pattern.casefold()) for pattern in patterns)


def _code(modality: str) -> str:
    """A modality, if it is one that DICOM has.

    >>> _code("CT"), _code("DOE^JANE"), _code("")
    ('CT', 'another', 'none')
    """
    if not modality:
        return "none"
    return modality if _MODALITIES.fullmatch(modality) else "another"


def _between(least: float | None, most: float | None) -> str:
    """A range in words.

    >>> _between(20, None), _between(None, 3.0), _between(1, 6)
    ('of at least 20', 'of at most 3', 'of 1 to 6')
    """
    if most is None:
        return f"of at least {least:g}"
    return f"of at most {most:g}" if least is None else f"of {least:g} to {most:g}"
