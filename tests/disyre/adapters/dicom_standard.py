"""What dicom-validator compares with, made without a network: from the JSON of the package dicom-standard.

The JSON has Part 3 as it was in spring 2020, with macros written out in the modules that include them.
Conditions and enumerations are read from its descriptions by dicom-validator's own parsers; where they can
read none, anything goes.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from typing import Any, Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from dicom_validator.spec_reader.condition import ConditionType
from dicom_validator.spec_reader.condition_parser import ConditionParser
from dicom_validator.spec_reader.enum_parser import EnumParser
from dicom_validator.spec_reader.serializer import DefinitionEncoder
from dicom_validator.validator.dicom_info import DicomInfo
from pydicom.valuerep import VR

from tests.disyre.adapters.docbook import docbook, text_of
from tests.disyre.adapters.report_macros import REPORT_MACROS, Info, include_in_reports

_WORDS: Final = {
    "frame-content": "Shall not be used as a Shared Functional Group",
    "unassigned-per-frame-converted-attributes": "May not be used as a Shared Functional Group",
    "unassigned-shared-converted-attributes": "May not be used as a Per-Frame Functional Group",
}
"""What tables A.51-2 and A.75-2 say of the use of macros; the JSON has such words only of a condition."""

_URN_CODE_VALUE: Final = "(0008,0120)"
"""Of its condition, "Code Value is not present and the Code Value is a URN or URL", dicom-validator 0.9 reads
half: a rest below 36 characters it takes for none. It would ask for one beside each Long Code Value."""

_PART_3: Final = "/part03/"
"""In the address of a section, where other parts have sections of the same names."""

_GROUPS: Final = ("(5200,9229)", "(5200,9230)")
"""The sequences of functional groups, whose macros the IOD tells."""


def read_standard(sop_classes: Collection[str]) -> DicomInfo:
    """What the standard says of objects of these classes."""
    parsers = _parsers()
    ids = {row["name"]: row["id"] for row in _table("ciods")}
    kinds = {row["id"]: ids[row["ciod"]] for row in _table("sops") if row["id"] in sop_classes}
    modules = _uses("ciod_to_modules", "moduleId", set(kinds.values()), parsers)
    macros = _uses("ciod_to_fg_macros", "macroId", set(kinds.values()), parsers)
    iods = {
        sop_class: {"title": kind, "modules": modules[kind], "group_macros": macros[kind]}
        for sop_class, kind in kinds.items()
    }
    described = _contents("module_to_attributes", "moduleId", _refs(modules), parsers)
    described |= _contents("macro_to_attributes", "macroId", _refs(macros) | REPORT_MACROS, parsers)
    include_in_reports(described)
    for sequence in _GROUPS:
        described["multi-frame-functional-groups"][sequence]["items"] = {"include": [{"ref": "FuncGroup"}]}
    # As dicom-validator itself reads what it has made of the standard.
    plain = json.loads(json.dumps([iods, described], cls=DefinitionEncoder))
    return DicomInfo(parsers.dictionary, *plain)


@dataclass(frozen=True)
class _Parsers:
    """The dictionary, and what reads conditions and enumerations with it."""

    dictionary: dict[str, dict[str, str]]
    conditions: ConditionParser
    enumerations: EnumParser


def _parsers() -> _Parsers:
    dictionary = {
        row["tag"]: {
            "name": row["name"],
            "vr": row["valueRepresentation"],
            "vm": row["valueMultiplicity"],
            "prop": "RET" if row["retired"] == "Y" else "",
        }
        for row in _table("attributes")
    }
    sections = {_section(url): html for url, html in _table("references").items() if _PART_3 in url}

    def find_section(name: str) -> Element | None:
        html = sections.get(f"sect_{name}")
        return None if html is None else docbook(ElementTree.fromstring(html), {})

    conditions = ConditionParser(dictionary)
    return _Parsers(dictionary, conditions, EnumParser(find_section, conditions))


def _uses(
    table: str, column: str, kinds: Collection[str], parsers: _Parsers
) -> Mapping[str, dict[str, Info]]:
    """The modules or the macros of IODs of these kinds: their names, and whether they have to be there."""
    found: dict[str, dict[str, Info]] = defaultdict(dict)
    for row in _table(table):
        if row["ciodId"] in kinds:
            name = row[column]
            words = row["conditionalStatement"] or _WORDS.get(name)
            use: Info = {
                "ref": _ref(column, name),
                "use": f"{row['usage']} - {words}" if words else row["usage"],
            }
            if words:
                use["cond"] = parsers.conditions.parse(use["use"])
            found[row["ciodId"]][name] = use
    return found


def _refs(uses: Mapping[str, dict[str, Info]]) -> set[str]:
    return {use["ref"] for of_kind in uses.values() for use in of_kind.values()}


def _contents(table: str, column: str, refs: Collection[str], parsers: _Parsers) -> dict[str, Info]:
    """The attributes of modules or macros, those of a sequence as its items."""
    found: dict[str, Info] = {ref: {} for ref in refs}
    above: list[Info] = []
    for row in _table(table):
        if (ref := _ref(column, row[column])) in found:
            depth = row["path"].count(":") - 1
            del above[depth:]
            attributes = above[-1].setdefault("items", {}) if above else found[ref]
            attributes[row["tag"]] = attribute = _attribute(row, parsers)
            above.append(attribute)
    return found


def _attribute(row: Mapping[str, Any], parsers: _Parsers) -> Info:
    description = ElementTree.fromstring(row["description"])
    entry = parsers.dictionary[row["tag"].replace("x", "X")]  # of overlays, (60xx,0010)
    attribute: Info = {"name": entry["name"], "type": row["type"]}
    if row["type"] in ("1C", "2C", "3") and row["tag"] != _URN_CODE_VALUE:
        condition = parsers.conditions.parse(text_of(description))
        if condition.type != ConditionType.UserDefined:
            attribute["cond"] = condition
    references = [each for each in row["externalReferences"] if _PART_3 in each["sourceUrl"]]
    links = {" ".join(each["title"].split()): _section(each["sourceUrl"]) for each in references}
    values = parsers.enumerations.parse(docbook(description, links), VR(entry["vr"]))
    if values := [each for each in values if each.get("tag", row["tag"]) == row["tag"]]:
        attribute["enums"] = values
    return attribute


def _ref(column: str, name: str) -> str:
    """Modules and macros may have the same name."""
    return name if column == "moduleId" else f"{name} macro"


def _section(url: str) -> str:
    """What of an address names a section, as `sect_C.7.6.3`."""
    return url.partition("#")[2]


def _table(name: str) -> Any:
    """A table of the package, which lies where it puts its data."""
    (path,) = (each for each in distribution("dicom-standard").files or () if each.name == f"{name}.json")
    return json.loads(path.read_text(encoding="utf-8"))
