"""The contents of the page for assistants: by the protocol's own client, and message by message."""

import asyncio
import sys
from os import pathsep
from pathlib import Path
from typing import Any

import orjson
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from index.redaction.redactor import Redactor
from models.errors import FatalError
from stream.ui.assistants.protocol import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    UNKNOWN_METHOD,
    AssistantServer,
    AssistantTool,
)
from stream.ui.assistants.tools import assistant_server
from stream.ui.memory.memory import Memory
from stream.ui.web.site import Site
from tests.stream.ui.samples import CODES, alert, diagnosis, line
from tests.stream.ui.test_app import raw, stored
from tests.stream.ui.test_comparison import counting

ID = alert().incident_id
SECRET = "hunter22secret"  # noqa: S105 - of a test


@pytest.fixture
def server() -> AssistantServer:
    """Give the server of a site whose incident holds a secret and terminal codes."""
    memory = Memory()
    lines = [line("L1", f"login password={SECRET}"), line("L2", CODES), line("L3", "z" * 5000)]
    memory.take_alert(alert(diagnosis=diagnosis(*lines)))
    memory.take_alert(alert(2, tenant="other", services=("glance",)))
    memory.trouble("broker", "no answer from kafka:9092")
    reader = stored([raw(n, "nova-api", f"password={SECRET}" if n == 41 else "GET /servers") for n in range(100)])
    return assistant_server(Site(memory, "test", reader, ranges=counting(reader)), Redactor)


def asked(server: AssistantServer, method: str, **params: Any) -> dict[str, Any]:
    """Return the answer to a request."""
    answer = server.answer(orjson.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}))
    assert answer is not None
    record: dict[str, Any] = orjson.loads(answer)
    assert record["id"] == 7
    return record


def called(server: AssistantServer, name: str, **arguments: Any) -> tuple[str, bool]:
    """Return the text that a tool answers with, and whether it is an error."""
    result = asked(server, "tools/call", name=name, arguments=arguments)["result"]
    return result["content"][0]["text"], result["isError"]


def test_the_protocols_own_client_lists_and_calls_the_tools(tmp_path: Path) -> None:
    """It starts the command, agrees on a version, and reads an incident of a review."""
    (tmp_path / "alerts.jsonl").write_bytes(alert(diagnosis=diagnosis(line("L1", "lost connection"))).to_json() + b"\n")
    program = ["-c", "from stream.cli import main; main()", "mcp", "--alerts", str(tmp_path / "alerts.jsonl")]
    command = StdioServerParameters(command=sys.executable, args=program, env={"PYTHONPATH": pathsep.join(sys.path)})

    async def talk() -> tuple[list[str], str]:
        async with stdio_client(command) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            tools = await session.list_tools()
            shown = await session.call_tool("show_incident", {"id": ID})
            return [tool.name for tool in tools.tools], str(getattr(shown.content[0], "text", ""))

    names, text = asyncio.run(talk())
    assert names == ["list_incidents", "show_incident", "lines_around", "compare", "draft_post_mortem"]
    assert orjson.loads(text)["diagnosis"]["cause"] == "The database cannot be reached."


def test_every_tool_says_that_it_only_reads(server: AssistantServer) -> None:
    """And what it takes."""
    tools = asked(server, "tools/list")["result"]["tools"]
    assert all(tool["annotations"]["readOnlyHint"] for tool in tools)
    assert all(tool["inputSchema"]["additionalProperties"] is False for tool in tools)


def test_no_answer_holds_a_secret_or_what_acts(server: AssistantServer) -> None:
    """Whatever is asked: secrets are replaced, codes are visible, long texts are cut."""
    answers = [
        called(server, "show_incident", id=ID),
        called(server, "lines_around", id=ID, line="L1"),
        called(server, "draft_post_mortem", id=ID),
        called(server, "compare", since="2026-03-03T09:13:30Z", until="2026-03-03T09:15:00Z"),
    ]
    for text, is_error in answers:
        assert not is_error
        assert SECRET not in text
        assert "\\u001b" not in text
        assert "\x1b" not in text
    assert "z" * 1001 not in answers[0][0]
    assert '"offset":40' in answers[1][0]


def test_incidents_are_listed_by_filters_and_with_what_is_missing(server: AssistantServer) -> None:
    """While the topics cannot be read every answer says so."""
    listed = orjson.loads(called(server, "list_incidents", tenant="other", state="open")[0])
    assert [one["services"] for one in listed["incidents"]] == [["glance"]]
    assert listed["not_up_to_date"] == ["no answer from kafka:9092"]
    assert len(orjson.loads(called(server, "list_incidents", limit=1)[0])["incidents"]) == 1


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("show_incident", {"id": "ffff"}),
        ("show_incident", {}),
        ("show_incident", {"id": 5}),
        ("list_incidents", {"state": "odd"}),
        ("list_incidents", {"limit": True}),
        ("list_incidents", {"colour": "red"}),
        ("lines_around", {"id": ID, "line": "L99"}),
        ("compare", {"since": "yesterday", "until": "now"}),
    ],
    ids=str,
)
def test_a_call_that_makes_no_sense_is_told_to_the_assistant(
    server: AssistantServer, name: str, arguments: dict[str, Any]
) -> None:
    """As a result that is an error, so that it can try again."""
    assert called(server, name, **arguments)[1]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"{", PARSE_ERROR),
        (b"[]", INVALID_REQUEST),
        (b'{"id":1,"method":"ping"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"resources/list"}', UNKNOWN_METHOD),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rm"}}', INVALID_PARAMS),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', INVALID_PARAMS),
    ],
    ids=["json", "batch", "version", "method", "tool", "params"],
)
def test_messages_out_of_form_have_the_codes_of_json_rpc(server: AssistantServer, message: bytes, code: int) -> None:
    """Each is answered, and the next one, too."""
    answer = server.answer(message)
    assert answer is not None
    assert orjson.loads(answer)["error"]["code"] == code
    assert asked(server, "ping")["result"] == {}


def test_notifications_are_not_answered(server: AssistantServer) -> None:
    """Nor are answers."""
    assert server.answer(b'{"jsonrpc":"2.0","method":"notifications/initialized"}') is None
    assert server.answer(b'{"jsonrpc":"2.0","id":1,"result":{}}') is None


def test_versions_are_agreed_on(server: AssistantServer) -> None:
    """An unknown one is answered with the newest that is spoken."""
    for wanted, spoken in (("2024-11-05", "2024-11-05"), ("1999-01-01", "2025-06-18")):
        assert asked(server, "initialize", protocolVersion=wanted)["result"]["protocolVersion"] == spoken


def test_a_defect_of_ours_ends_one_answer_only() -> None:
    """The assistant is told where to look, and nothing of the inside."""

    def broken(_: Any) -> Any:
        msg = "inside"
        raise KeyError(msg)

    def gone(_: Any) -> Any:
        raise FatalError("the disk is gone")

    tools = (AssistantTool("broken", "", "", {}, broken), AssistantTool("gone", "", "", {}, gone))
    server = AssistantServer(tools, "1", "")
    error = asked(server, "tools/call", name="broken")["error"]
    assert (error["code"], "inside" in error["message"]) == (INTERNAL_ERROR, False)
    assert called(server, "gone") == ("the disk is gone", True)
