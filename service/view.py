"""The JSON that clients see: views of domain values, a contract of its own."""

from pydantic import BaseModel, ConfigDict


class View(BaseModel):
    """What all views have in common. The docstrings of their fields are what OpenAPI says of these."""

    model_config = ConfigDict(frozen=True, protected_namespaces=(), use_attribute_docstrings=True)
