"""What in the chart is made of other files: the schema of settings, the topics, rights on them, the table of values.

``make chart`` writes it; ``test_generated.py`` compares.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from stream.kafka.security.access_rules import access_rules, merged
from stream.kafka.topic_specs import Topics
from stream.runtime.roles import ROLES
from stream.settings import Settings
from stream.settings.model import SECRET_PROPERTY

CHART: Final = Path(__file__).resolve().parents[2] / "helm" / "tocsin"
JSON_STYLE: Final = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


def settings_schema() -> dict[str, Any]:
    """Return the JSON schema of ``settings``: all that Tocsin knows, without the secret ones."""
    whole = Settings.model_json_schema()
    properties = {name: field for name, field in whole["properties"].items() if name not in Settings.secret_names()}
    properties["kafka"] = {
        "type": "object",
        "description": "Properties of librdkafka; secret ones stand in `secretSettings`.",
        "propertyNames": {"not": {"pattern": SECRET_PROPERTY.pattern}},
    }
    return {"type": "object", "additionalProperties": False, "properties": dict(sorted(properties.items()))}


def schema() -> dict[str, Any]:
    """Return ``values.schema.json`` with the generated parts renewed."""
    whole: dict[str, Any] = orjson.loads((CHART / "values.schema.json").read_bytes())
    whole["$defs"]["settings"] = settings_schema()
    whole["$defs"] |= Settings.model_json_schema().get("$defs", {})
    names = sorted(Settings.secret_names())
    whole["$defs"]["secretSettings"]["properties"] = {name: {"$ref": "#/$defs/secretKey"} for name in names}
    return whole


def topics() -> list[dict[str, Any]]:
    """Return how each topic is created, by its name without the prefix."""
    return [{"topic": spec.name, "configs": spec.all_configs()} for spec in Topics("").specs()]


def rights() -> list[dict[str, Any]]:
    """Return the least rights of all roles, the page and the doctor together, by names without the prefix."""
    rules = merged(rule for role in (*ROLES, "operator") for rule in access_rules(Topics(""), role))
    return [
        {
            "type": rule.kind,
            "name": rule.name,
            "patternType": "prefix" if rule.prefixed else "literal",
            "operations": rule.operations,
        }
        for rule in rules
    ]


def values_table() -> str:
    """Return the table of all values that ``values.yaml`` documents with ``# --``, in Markdown."""
    rows = [f"| `{name}` | `{default}` | {text} |" for name, default, text in _documented()]
    return "\n".join(["| value | default | meaning |", "|---|---|---|", *rows])


def _documented() -> Iterator[tuple[str, str, str]]:
    """Give path, default and meaning of each documented value; a table's default is ``{…}``."""
    path: list[tuple[int, str]] = []
    comment = ""
    for line in (CHART / "values.yaml").read_text(encoding="utf-8").splitlines():
        if text := re.match(r"\s*# (-- )?(.*)", line):
            comment = text[2] if text[1] else comment and f"{comment} {text[2]}"
        elif key := re.match(r"( *)([\w.]+): ?(.*)", line):
            path = [(depth, name) for depth, name in path if depth < len(key[1])] + [(len(key[1]), key[2])]
            if comment:
                yield ".".join(name for _, name in path), key[3] or "{…}", comment
            comment = ""


def readme() -> str:
    """Return the chart's README with its table renewed."""
    text = (CHART / "README.md").read_text(encoding="utf-8")
    table = f"<!-- values:start -->\n{values_table()}\n<!-- values:end -->"
    return re.sub(r"<!-- values:start -->.*<!-- values:end -->", lambda _: table, text, flags=re.DOTALL)


def files() -> dict[Path, bytes]:
    """Return every generated file as it should be."""
    return {
        CHART / "values.schema.json": orjson.dumps(schema(), option=JSON_STYLE),
        CHART / "files" / "topics.json": orjson.dumps(topics(), option=JSON_STYLE),
        CHART / "files" / "rights.json": orjson.dumps(rights(), option=JSON_STYLE),
        CHART / "README.md": readme().encode(),
    }


if __name__ == "__main__":
    for path, content in files().items():
        path.write_bytes(content)
