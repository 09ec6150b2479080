#!/usr/bin/env python3
"""Makes docs/images/page-*.png: the pages of a service with at least one scored scan, in headless Chromium.

    python scripts/make_screenshots.py http://127.0.0.1:8000 \\
        --stored examples/head.zip --running examples/t1w.nii.gz

The newest scan that is done, or that of `--job`, is the one that the viewer shows. With `--stored` a series
is stored by STOW-RS first, as a PACS does it, and with `--running` a scan is sent before the list is shown,
so that the list has one that came from a PACS and one that is under way. Needs `playwright` and Debian's
`chromium`.
"""

import argparse
import json
import shutil
import sys
import time
import zipfile
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
Scheme: TypeAlias = Literal["dark", "light"]
SIZES = {"laptop": (1440, 900), "tablet": (820, 1180)}
VIEWS: dict[str, tuple[Scheme, ...]] = {"laptop": ("dark", "light"), "tablet": ("dark",)}
LISTS: dict[str, tuple[Scheme, ...]] = {"laptop": ("light", "dark")}
PATIENCE_MS = 240_000
BOUNDARY = "an-image-of-a-series"
ARGUMENTS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="root of the service")
    parser.add_argument("--job", help="which scan the viewer shows")
    parser.add_argument("--running", type=Path, help="a scan that is sent, to be seen under way in the list")
    parser.add_argument("--stored", type=Path, help="a zip of DICOM images that are stored by STOW-RS")
    given = parser.parse_args()
    url = given.url.rstrip("/")
    job = given.job or newest(url)
    if given.stored:
        store(url, given.stored)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for size, schemes in VIEWS.items():
            page = opened(browser, f"{url}/viewer?job={job}", size)
            page.wait_for_selector("body[data-ready]")
            keep(page, "viewer", schemes, size)
        for size, schemes in LISTS.items():
            page = opened(browser, url, size)
            page.wait_for_selector(".job")
            if given.running:
                page.set_input_files("#files", given.running)
                page.wait_for_selector(".job.running .hint:has-text('restoring')")
            keep(page, "home", schemes, size)
        browser.close()


def newest(url: str) -> str:
    """The newest scan that is done; ends the program if there is none."""
    with urlopen(f"{url}/v1/jobs?state=succeeded&limit=1", timeout=10) as answer:
        found = json.load(answer)["jobs"]
    if not found:
        sys.exit("expected a scan that is done, got none: send one first")
    return str(found[0]["id"])


def store(url: str, archive: Path) -> None:
    """Store the images of a series as a PACS does; back once it is scored. Ends the program if it is not."""
    with zipfile.ZipFile(archive) as images:
        parts = [images.read(name) for name in images.namelist() if not name.endswith("/")]
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = b"".join(head + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()
    kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    with urlopen(Request(f"{url}/dicomweb/studies", body, {"Content-Type": kind}), timeout=60):
        pass
    until = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < until:
        with urlopen(f"{url}/v1/jobs?label=from:stow&limit=1", timeout=10) as answer:
            found = json.load(answer)["jobs"]
        if found and found[0]["state"] == "succeeded":
            return
        time.sleep(1)
    sys.exit("expected the series that was stored to be scored, got none that is")


def opened(browser: Browser, url: str, size: str) -> Page:
    """A page in a window of its own."""
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    return page


def keep(page: Page, name: str, schemes: tuple[Scheme, ...], size: str) -> None:
    """Write what a page shows, in each scheme."""
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(1500)  # the last frame is drawn
        page.screenshot(path=IMAGES / f"page-{name}-{scheme}-{size}.png")
    page.close()


if __name__ == "__main__":
    main()
