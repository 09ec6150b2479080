"""Whether answers of the API are as its OpenAPI document says: their status, headers and bodies."""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import jsonschema_rs

_OF_THE_CONNECTION: Final = {"connection", "content-length", "content-type", "date", "transfer-encoding"}
"""Headers that any HTTP has."""
_JSON: Final = re.compile(r"application/(?:\w+\+)?json")


@dataclass
class Contract:
    """An OpenAPI document that answers are held to."""

    document: dict[str, Any]
    _validators: dict[str, jsonschema_rs.Validator] = field(default_factory=dict)

    def __post_init__(self) -> None:
        paths = sorted(self.document["paths"], key=lambda path: path.count("{"))  # literal ones go first
        self._paths = [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path) for path in paths]

    def check(self, answer: httpx.Response) -> None:
        """Fail if an answer is another than the document says. Addresses that it does not have pass."""
        url, method = answer.request.url, answer.request.method
        path = next((path for pattern, path in self._paths if pattern.fullmatch(url.path)), None)
        operation = self.document["paths"].get(path, {}).get(method.lower())
        what = f"{method} {path} answered {answer.status_code}"
        if answer.status_code == httpx.codes.METHOD_NOT_ALLOWED and method != "HEAD":
            self._check(answer, self.document["components"]["responses"]["MethodNotAllowed"], what)
        if operation is None or answer.status_code == httpx.codes.METHOD_NOT_ALLOWED:
            return
        response = operation["responses"].get(str(answer.status_code))
        assert response is not None, f"{what}, which OpenAPI does not say: {answer.read()!r}"
        self._check(answer, response, what)

    def _check(self, answer: httpx.Response, response: dict[str, Any], what: str) -> None:
        self._check_headers(answer, response, what)
        self._check_body(answer, response, what)

    def _check_headers(self, answer: httpx.Response, response: dict[str, Any], what: str) -> None:
        said = {name.lower(): header for name, header in response["headers"].items()}
        undocumented = set(answer.headers) - said.keys() - _OF_THE_CONNECTION
        assert not undocumented, f"{what} with headers that OpenAPI does not say: {sorted(undocumented)}"
        for name, header in said.items():
            if name in answer.headers:
                value: object = answer.headers[name]
                if header["schema"].get("type") == "integer":
                    value = int(answer.headers[name])
                assert self._fits(value, header["schema"]), f"{what} with {name}: {value}"
            else:
                assert not header["required"], f"{what} without {name}, which OpenAPI says it always has"

    def _check_body(self, answer: httpx.Response, response: dict[str, Any], what: str) -> None:
        if answer.request.method == "HEAD":
            assert not answer.read(), f"{what} with a body"
            return
        media_type = answer.headers.get("Content-Type", "").partition(";")[0]
        said = response.get("content", {})
        assert media_type in said or (not media_type and not said), f"{what} with a {media_type or 'nothing'}"
        schema = said.get(media_type, {}).get("schema")
        if schema and _JSON.fullmatch(media_type):
            body = json.loads(answer.read())
            assert self._fits(body, schema), f"{what} with a body that is none of {schema}: {body}"

    def _fits(self, value: object, schema: dict[str, Any]) -> bool:
        key = json.dumps(schema)
        if key not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return self._validators[key].is_valid(value)
