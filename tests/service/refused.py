"""What every refusal has in common."""

import httpx

from tests.live import wait_for
from tests.service.live_api import LiveApi


def check_refused(api: LiveApi, response: httpx.Response, status: int, code: str) -> None:
    """A refusal is a problem document and leaves nothing behind."""
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem.get("instance", response.request.url.path) == response.request.url.path
    wait_for(api.holds_nothing, "the upload is gone")
