"""The parameters of a pulse sequence that tell its contrast, as a header says them."""

from dataclasses import dataclass

from disyre.leeway import STRICT, Leeway


@dataclass(frozen=True, kw_only=True)
class SequenceParameters:
    """What a header says of the sequence; None, or nothing, where it is silent.

    Words are those of DICOM, in capitals. Numbers are above 0, but for the b-value and,
    where it is said that there is no inversion, its time.
    """

    sequence: frozenset[str] = frozenset()
    """ScanningSequence: SE, IR, GR, EP, RM."""
    variant: frozenset[str] = frozenset()
    """SequenceVariant: SK, MTC, SS, TRSS, SP, MP, OSP."""
    options: frozenset[str] = frozenset()
    """ScanOptions, such as FC: flow compensation."""
    image_type: frozenset[str] = frozenset()
    """From the third value of ImageType on."""
    tr_ms: float | None = None
    te_ms: float | None = None
    """Effective, where a train of echoes is read."""
    ti_ms: float | None = None
    flip_deg: float | None = None
    n_echoes: float | None = None
    """In a train."""
    b_value: float | None = None
    """In s/mm^2."""
    is_angio: bool = False
    is_3d: bool = False
    has_agent: bool = False
    """A contrast agent was given."""
    stated: str | None = None
    """AcquisitionContrast, which enhanced images have."""

    @property
    def is_spin_echo(self) -> bool:
        """Whether pulses refocus the echoes; `RM` fits no other word, and may."""
        is_train = "RM" in self.sequence and "GR" not in self.sequence and (self.n_echoes or 0) > 1
        return "SE" in self.sequence or is_train

    @property
    def is_inverted(self) -> bool:
        """Whether an inversion comes first."""
        is_said = "IR" in self.sequence or any(option.startswith("IR") for option in self.options)
        return is_said or bool(self.ti_ms)

    def fits(self, other: "SequenceParameters", leeway: Leeway = STRICT) -> bool:
        """Whether images may be of one volume; what is not said may be anything.

        >>> SequenceParameters(tr_ms=500).fits(SequenceParameters(flip_deg=90))
        True
        """
        numbers = (
            (self.tr_ms, other.tr_ms, leeway.tr),
            (self.ti_ms, other.ti_ms, leeway.ti),
            (self.flip_deg, other.flip_deg, leeway.flip),
            (self.b_value, other.b_value, STRICT.tr),
        )
        return all(
            mine is None or theirs is None or _is_near(mine, theirs, share) for mine, theirs, share in numbers
        )

    def differences(self, other: "SequenceParameters") -> list[str]:
        """What images say otherwise, or only one of them says, in words.

        >>> SequenceParameters(tr_ms=500).differences(SequenceParameters(tr_ms=4000, flip_deg=90))
        ['repetition time (500 ms against 4000 ms)', 'flip angle (none against 90 degrees)']
        >>> SequenceParameters(has_agent=True).differences(SequenceParameters())
        ['contrast agent (stated by one alone)']
        """
        numbers = (
            ("repetition time", "ms", self.tr_ms, other.tr_ms, STRICT.tr),
            ("inversion time", "ms", self.ti_ms, other.ti_ms, STRICT.ti),
            ("flip angle", "degrees", self.flip_deg, other.flip_deg, STRICT.flip),
            ("b-value", "s/mm2", self.b_value, other.b_value, STRICT.tr),
        )
        agent = ["contrast agent (stated by one alone)"] if self.has_agent != other.has_agent else []
        return [
            f"{name} ({_said(mine, unit)} against {_said(theirs, unit)})"
            for name, unit, mine, theirs, share in numbers
            if mine != theirs and not _is_near(mine or 0.0, theirs or 0.0, share)
        ] + agent

    def describe(self, kind: str) -> str:
        """The parameters in words.

        >>> SequenceParameters(tr_ms=9000, te_ms=120, ti_ms=2500).describe("inversion recovery")
        'inversion recovery, TR 9000 ms, TE 120 ms, TI 2500 ms'
        """
        numbers = (("TR", self.tr_ms, " ms"), ("TE", self.te_ms, " ms"), ("TI", self.ti_ms or None, " ms"))
        angle = (("flip angle", self.flip_deg, " degrees"),) if "GR" in self.sequence else ()
        words = [f"{name} {value:g}{unit}" for name, value, unit in (*numbers, *angle) if value is not None]
        return ", ".join([kind, *words, *(["after a contrast agent"] if self.has_agent else [])])


def _is_near(a: float, b: float, share: float) -> bool:
    return abs(a - b) <= share * max(a, b)


def _said(number: float | None, unit: str) -> str:
    return "none" if number is None else f"{number:g} {unit}"
