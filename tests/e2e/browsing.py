"""A browser, and what a person does in it."""

import io
import re
import shutil
from typing import Any, Final

import numpy as np
import pytest
from matplotlib import image as pictures
from playwright.sync_api import Page

from tests.e2e.stack import Serve

CHROMIUM: Final = shutil.which("chromium")
SLOW_MS: Final = 240_000
"""Chromium draws in software here, on processors that others use too."""
ARGUMENTS: Final = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
NEEDS_A_BROWSER: Final = [
    pytest.mark.servers,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not there"),
    pytest.mark.timeout(900),
]


def open_at(page: Page, serve: Serve, path: str = "/") -> None:
    page.goto(f"http://127.0.0.1:{serve.port}{path}")


def send(page: Page, name: str, content: bytes) -> None:
    page.set_input_files("#files", {"name": name, "mimeType": "application/octet-stream", "buffer": content})


def canvas_picture(page: Page) -> np.ndarray[Any, Any]:
    """What the canvas shows, as rows, columns and three colours from 0 to 1."""
    page.wait_for_timeout(1000)  # the last frame is drawn
    picture = pictures.imread(io.BytesIO(page.locator("#canvas").screenshot()))
    return np.asarray(picture[:, :, :3])


def colours_in(picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Which pixels are not grey."""
    return np.asarray(np.ptp(picture, axis=2) > 0.35)


def place_told(page: Page) -> np.ndarray[Any, Any]:
    """Where in the world, in mm (RAS+), the page says that the cross is."""
    found = re.match(
        r"x (-?\d+), y (-?\d+), z (-?\d+) mm \(world, RAS\+\)", page.locator("#where").inner_text()
    )
    assert found is not None
    return np.array([float(mm) for mm in found.groups()])
