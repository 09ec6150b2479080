"""The JSON that clients see: views of domain values, a contract of its own."""

from pydantic import BaseModel, ConfigDict


class View(BaseModel):
    """What all views have in common."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())
