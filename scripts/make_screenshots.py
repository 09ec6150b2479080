#!/usr/bin/env python3
"""Makes docs/images/page-*.png: the pages of a service with at least one scored scan, in headless Chromium.

    python scripts/make_screenshots.py http://127.0.0.1:8000

The newest scan that is done is the one that the viewer shows. Needs `playwright` and Debian's `chromium`.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
SIZES = {"laptop": (1440, 900), "tablet": (820, 1180)}
PATIENCE_MS = 240_000
ARGUMENTS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="root of the service")
    url = parser.parse_args().url.rstrip("/")
    with urlopen(f"{url}/v1/jobs?state=succeeded&limit=1", timeout=10) as answer:
        found = json.load(answer)["jobs"]
    if not found:
        sys.exit("expected a scan that is done, got none: send one first")
    pages = {"home": ("/", ".job"), "viewer": (f"/viewer?job={found[0]['id']}", "body[data-ready]")}
    shots = [("home", "light", "laptop"), *(("viewer", *how) for how in VIEWS)]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for name, scheme, size in shots:
            width, height = SIZES[size]
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.set_default_timeout(PATIENCE_MS)
            path, ready = pages[name]
            page.goto(url + path)
            page.wait_for_selector(ready)
            page.wait_for_timeout(1500)  # the last frame is drawn
            page.screenshot(path=IMAGES / f"page-{name}-{scheme}-{size}.png")
            page.close()
        browser.close()


VIEWS = (("dark", "laptop"), ("light", "laptop"), ("dark", "tablet"))


if __name__ == "__main__":
    main()
