"""Which cases of a folder can be measured, and which cannot: told before the first of them is scored."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from disyre.errors import InvalidInput
from disyre.modality import Modality
from disyre.wording import counted
from model_export.evaluation.case_files import CaseFiles, find_cases
from model_export.evaluation.cases import Case, read_case
from model_export.split_file import few

_EMPTY = "its lesion mask is empty: what is marked in it is false, and it has no figure of its own"
_OUTSIDE = "its lesion lies outside of the brain: all of it counts as missed"


@dataclass(frozen=True)
class CaseSet:
    """The cases of one modality in a folder, after a look into each."""

    cases: Sequence[CaseFiles]
    left_out: Mapping[str, str]
    """Why, by the name of a case that cannot be read or does not fit together."""
    remarks: Mapping[str, str]
    """What is odd about a case that is measured all the same, by its name."""
    without_lesion: Sequence[str]
    """Names of scans that have no lesion mask."""

    @classmethod
    def checked(cls, folder: Path, modality: Modality, on_line: Callable[[str], None]) -> Self:
        """Read every case once; `on_line` is told, in lines, what is left out and what is odd.

        Raises InvalidInput if there is no case, or none that can be measured.
        """
        found = find_cases(folder, modality)
        left_out, remarks, n_empty = {}, {}, 0
        for files in found.cases:
            try:
                case = read_case(files)
            except InvalidInput as error:
                left_out[files.name] = str(error)
                continue
            n_empty += not case.lesion.any()
            if remark := _remark(case):
                remarks[files.name] = remark
        kept = [files for files in found.cases if files.name not in left_out]
        checked = cls(kept, left_out, remarks, found.without_lesion)
        for line in checked.lines():
            on_line(f"{folder}, {modality}: {line}")
        if n_empty == len(kept):
            raise InvalidInput(
                f"expected {modality} cases with a lesion below {folder}, got {len(left_out)} that cannot be "
                f"measured and {n_empty} whose lesion mask is empty"
            )
        return checked

    def read(self) -> Iterator[Case]:
        """The cases that can be measured, by name."""
        return map(read_case, self.cases)

    def lines(self) -> list[str]:
        """What is left out, and what is odd, a line each."""
        lines = [f"{name} is left out: {why}" for name, why in self.left_out.items()]
        lines += [f"{name}: {what}" for name, what in self.remarks.items()]
        if self.without_lesion:
            n = len(self.without_lesion)
            lines.append(f"{counted(n, 'scan')} without a lesion mask left out: {few(self.without_lesion)}")
        return lines


def _remark(case: Case) -> str | None:
    if not case.lesion.any():
        return _EMPTY
    return None if (case.lesion & case.brain_mask).any() else _OUTSIDE
