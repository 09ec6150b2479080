"""The call at the end of a job, as `/openapi.json` says it."""

from typing import Any, Final

from service.openapi_examples import ENDED
from service.webhooks import EndedView

_HEADERS: Final = {
    "webhook-id": (
        "the same however often the message comes; another for each end of a job that was retried",
        f"{ENDED.data.id}-9-{ENDED.data.state}",
    ),
    "webhook-timestamp": ("when it was sent, in seconds since 1970", "1795780800"),
    "webhook-signature": (
        "`v1,` and the base64 of the HMAC-SHA256 of id, timestamp and body with dots between; several with "
        "spaces between while the secret is changed",
        "v1,47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    ),
}
CALLBACK: Final[dict[str, Any]] = {
    "jobEnded": {
        "{$request.query.callback}": {
            "post": {
                "summary": "Hear that a job has ended",
                "description": (
                    "Is sent to the address of the option `callback`, also where that came in a form, as "
                    "[Standard Webhooks](https://www.standardwebhooks.com) has it."
                ),
                "parameters": [
                    {
                        "name": name,
                        "in": "header",
                        "required": True,
                        "description": description,
                        "schema": {"type": "string"},
                        "example": example,
                    }
                    for name, (description, example) in _HEADERS.items()
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {"$ref": f"#/components/schemas/{EndedView.__name__}"},
                            "example": ENDED.model_dump(mode="json"),
                        }
                    },
                },
                "responses": {
                    "2XX": {"description": "it was heard"},
                    "410": {"description": "it was heard, or never will be"},
                    "default": {"description": "it is sent again later, for some time"},
                },
            }
        }
    }
}
"""Of what makes jobs."""
