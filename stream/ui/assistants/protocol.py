"""The Model Context Protocol, as far as a server of tools needs it: JSON-RPC 2.0, one message a line or a request.

Specification: https://modelcontextprotocol.io/specification/2025-06-18 (base protocol, lifecycle, server/tools).
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from models.errors import InvalidError, TocsinError

log = logging.getLogger(__name__)

VERSIONS: Final = ("2025-06-18", "2025-03-26", "2024-11-05")
"""Versions of the protocol that are spoken, the newest first: for a server of tools they are alike."""

# Codes of JSON-RPC 2.0.
PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
UNKNOWN_METHOD: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603


@dataclass(frozen=True, slots=True)
class AssistantTool:
    """What an assistant may call: ``parameters`` are JSON Schemas by name, ``required`` those that must be given."""

    name: str
    title: str
    description: str
    parameters: Mapping[str, Mapping[str, Any]]
    call: Callable[[Mapping[str, Any]], Any]
    required: tuple[str, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return the tool as ``tools/list`` tells of it."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": {
                "type": "object",
                "properties": dict(self.parameters),
                "required": list(self.required),
                "additionalProperties": False,
            },
            "annotations": {"readOnlyHint": True, "destructiveHint": False, "openWorldHint": False},
        }

    def checked(self, arguments: Any) -> Mapping[str, Any]:
        """Return the arguments of a call.

        Raises:
            InvalidError: one is missing, unknown, or of another type.
        """
        if not isinstance(arguments, dict):
            raise InvalidError(f"the arguments of {self.name} are no object")
        if unknown := arguments.keys() - self.parameters.keys():
            raise InvalidError(f"{self.name} has no argument {min(unknown)!r}", f"it has {', '.join(self.parameters)}")
        if missing := [name for name in self.required if name not in arguments]:
            raise InvalidError(f"{self.name} needs the argument {missing[0]!r}")
        types: Mapping[str, type] = {"string": str, "integer": int, "boolean": bool}
        for name, value in arguments.items():
            kind = types[self.parameters[name]["type"]]
            if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                raise InvalidError(f"the argument {name!r} of {self.name} is no {self.parameters[name]['type']}")
        return arguments


class AssistantServer:
    """Answers messages; it keeps nothing between them."""

    def __init__(self, tools: Iterable[AssistantTool], version: str, instructions: str) -> None:
        """Take the tools, the version of this program, and what an assistant should know of it all."""
        self._tools = {tool.name: tool for tool in tools}
        self._version = version
        self._instructions = instructions

    def answer(self, message: bytes | str) -> bytes | None:
        """Return the answer to a message, None where it wants none (a notification, or an answer itself)."""
        try:
            request = orjson.loads(message)
        except orjson.JSONDecodeError as error:
            return _error(None, PARSE_ERROR, f"not JSON: {error}")
        if not isinstance(request, dict) or request.get("jsonrpc") != "2.0":
            return _error(None, INVALID_REQUEST, "a message is one JSON-RPC 2.0 object")
        if "method" not in request or "id" not in request:
            return None
        number, method, params = request["id"], request["method"], request.get("params") or {}
        if not isinstance(params, dict):
            return _error(number, INVALID_PARAMS, "params is no object")
        try:
            result = self._result(method, params)
        except InvalidError as error:
            return _error(number, INVALID_PARAMS, str(error))
        except Exception:
            log.exception("a request of an assistant failed: %s", method)
            return _error(number, INTERNAL_ERROR, "the request failed; the log of `tocsin` says why")
        if result is None:
            return _error(number, UNKNOWN_METHOD, f"there is no method {str(method)[:40]!r}")
        return orjson.dumps({"jsonrpc": "2.0", "id": number, "result": result})

    def _result(self, method: Any, params: Mapping[str, Any]) -> dict[str, Any] | None:
        match method:
            case "initialize":
                asked = params.get("protocolVersion")
                return {
                    "protocolVersion": asked if asked in VERSIONS else VERSIONS[0],
                    "capabilities": {"tools": {"listChanged": False}},
                    "serverInfo": {"name": "tocsin", "title": "Tocsin", "version": self._version},
                    "instructions": self._instructions,
                }
            case "ping":
                return {}
            case "tools/list":
                return {"tools": [tool.to_record() for tool in self._tools.values()]}
            case "tools/call":
                return self._called(params)
            case _:
                return None

    def _called(self, params: Mapping[str, Any]) -> dict[str, Any]:
        tool = self._tools.get(str(params.get("name")))
        if tool is None:
            raise InvalidError(
                f"there is no tool {str(params.get('name'))[:40]!r}", f"there are {', '.join(self._tools)}"
            )
        try:
            result = tool.call(tool.checked(params.get("arguments") or {}))
        except TocsinError as error:
            # The assistant shall read it, and try again otherwise.
            return {"content": [{"type": "text", "text": str(error)}], "isError": True}
        text = result if isinstance(result, str) else orjson.dumps(result).decode()
        return {"content": [{"type": "text", "text": text}], "isError": False}


def _error(number: Any, code: int, message: str) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}})
