"""What the schemas of documents are made of."""

from typing import Any

Document = dict[str, Any]


def object_of(properties: Document, *, closed: bool = True) -> Document:
    """Return the schema of an object that has all of some properties, and, where it is closed, no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": not closed,
    }


def or_null(kind: str, **rules: Any) -> Document:
    """Return the schema of a value of a kind, or null."""
    return {"type": [kind, "null"], **rules}


def array_of(items: Document) -> Document:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def reference(name: str) -> Document:
    """Return a reference to one of the schemas in `schemas`."""
    return {"$ref": f"#/components/schemas/{name}"}


TIME = {"type": "string", "format": "date-time"}
COUNT = {"type": "integer", "minimum": 0}
PROBABILITY = {"type": "number", "minimum": 0, "maximum": 1}
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
