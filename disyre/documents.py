"""Records as JSON documents in the broker, which programs of an older and a newer version share for a while.

During an upgrade both read and write the same records. What a newer one added is not known to an older one:
it is ignored, and left in the document.
"""

import json
from typing import TypeVar

from pydantic import BaseModel

Record = TypeVar("Record", bound=BaseModel)


def read_document(kind: type[Record], document: str) -> Record:
    """The record in a document, without what a newer version added to it."""
    return kind.model_validate_json(document, extra="ignore")


def write_document(record: BaseModel, *, over: str | None = None) -> str:
    """The document of a record. Fields of the one that it replaces that are not known here stay."""
    if over is None:
        return record.model_dump_json()
    known = type(record).model_fields.keys() | type(record).model_computed_fields.keys()
    unknown = {name: value for name, value in json.loads(over).items() if name not in known}
    return json.dumps({**unknown, **record.model_dump(mode="json")}) if unknown else record.model_dump_json()
