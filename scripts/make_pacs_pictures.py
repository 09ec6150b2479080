#!/usr/bin/env python3
"""Makes docs/images/pacs-*.png: a study in Orthanc with the results of its scan, and a capture of it.

    python scripts/make_pacs_pictures.py http://127.0.0.1:8042 --user disyre --password-file password

The study is the one that has Secondary Captures of disyre, the newest of several; the capture is the slice
that is highest above the threshold. Needs `playwright` and Debian's `chromium`.
"""

import argparse
import shutil
import sys
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
WIDTH, HEIGHT = 1280, 900
MADE_BY = "disyre"
CAPTURES = "OT"


def main() -> None:
    """Make both pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="root of Orthanc")
    parser.add_argument("--user", default="disyre")
    parser.add_argument("--password-file", type=Path, required=True)
    given = parser.parse_args()
    url, password = given.url.rstrip("/"), given.password_file.read_text().strip()
    with httpx.Client(base_url=url, auth=(given.user, password), trust_env=False, timeout=60) as orthanc:
        series = newest_captures(orthanc)
        (IMAGES / "pacs-capture.png").write_bytes(highest(orthanc, series))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT},
            http_credentials={"username": given.user, "password": password},
        )
        page.goto(f"{url}/app/explorer.html#study?uuid={quote(series['ParentStudy'])}")
        page.locator("#list-series li a").nth(4).wait_for()
        page.wait_for_timeout(1500)  # the last row is drawn
        page.screenshot(path=IMAGES / "pacs-study.png")
        browser.close()


def newest_captures(orthanc: httpx.Client) -> Any:
    """The series of captures that came last; ends the program if there is none."""
    every = orthanc.get("/series", params={"expand": ""}).raise_for_status().json()
    found = [
        each
        for each in every
        if each["MainDicomTags"].get("Manufacturer", "").lower() == MADE_BY
        and each["MainDicomTags"]["Modality"] == CAPTURES
        and len(each["Instances"]) > 1
    ]
    if not found:
        sys.exit("expected a study with results of disyre, got none: have a scan scored and sent there first")
    return max(found, key=lambda each: str(each["LastUpdate"]))


def highest(orthanc: httpx.Client, series: Any) -> bytes:
    """The image of a series with most of the brightest colour in it, as PNG."""
    images = (
        orthanc.get(f"/instances/{each}/preview").raise_for_status().content for each in series["Instances"]
    )
    return max(images, key=n_bright)


def n_bright(image: bytes) -> int:
    """How many pixels of an image are yellow."""
    with Image.open(BytesIO(image)) as opened:
        pixels = np.asarray(opened.convert("RGB")).astype(int)
    red, green, blue = np.moveaxis(pixels, -1, 0)
    return int(((red > 200) & (green > 200) & (blue < 100)).sum())


if __name__ == "__main__":
    main()
