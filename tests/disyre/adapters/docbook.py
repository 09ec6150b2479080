"""Descriptions of the standard, from HTML back to the DocBook that dicom-validator's parsers read."""

from collections.abc import Mapping
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from dicom_validator.spec_reader.enum_parser import EnumParser

_SPACE: Final = EnumParser.docbook_ns


def text_of(html: Element) -> str:
    """All that is written, with single blanks.

    >>> from xml.etree.ElementTree import fromstring
    >>> text_of(fromstring("<td><p>Required if <i>Rows</i></p> <p>is present.</p></td>"))
    'Required if Rows is present.'
    """
    return " ".join("".join(html.itertext()).split())


def docbook(html: Element, links: Mapping[str, str]) -> Element:
    """What is told of values: the lists that have a title, and links to sections, given by their text."""
    made = Element("section")
    for division in html.findall("div"):
        title, terms = division.find("p/strong"), division.findall("dl/dt")
        if title is not None and terms:
            _add_list(made, text_of(title), [text_of(term) for term in terms])
    for span in html.findall("p/span"):
        if (section := links.get(text_of(span))) is not None:
            SubElement(SubElement(made, f"{_SPACE}para"), f"{_SPACE}xref", linkend=section)
    return made


def _add_list(parent: Element, title: str, terms: list[str]) -> None:
    made = SubElement(parent, f"{_SPACE}variablelist")
    SubElement(made, f"{_SPACE}title").text = title
    for term in terms:
        SubElement(SubElement(made, f"{_SPACE}varlistentry"), f"{_SPACE}term").text = term
