"""How DICOM nodes are called."""

from typing import Final

AE_TITLE: Final = r"^[!-\[\]-~][ -\[\]-~]{0,15}$"
"""1 to 16 printable characters, the first no space, and no backslash."""
