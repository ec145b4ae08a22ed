"""The routes: every page is made on the server, and works without a script."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from models.errors import InvalidError, TocsinError
from models.rfc3339 import time_text
from stream.ui.memory.range_reader import MOST
from stream.ui.pages.actions import feedback_of
from stream.ui.pages.comparison import CompareQuery, compared
from stream.ui.pages.draft import draft_of
from stream.ui.pages.incident_list import list_page
from stream.ui.pages.incident_page import IncidentPage, diagnosis_view, incident_page
from stream.ui.pages.lanes import lanes, range_of
from stream.ui.pages.query import ListQuery
from stream.ui.pages.question import QuestionQuery
from stream.ui.web.headers import Guard
from stream.ui.web.rendering import render, static_files
from stream.ui.web.site import Site
from stream.ui.web.users import PageUser

LOOK_S: Final = 0.5
"""Seconds between two looks at whether the memory has changed: a judgement, what is new shows within a second."""

BEAT_S: Final = 15.0
"""Seconds after which a stream without news says that it is alive: a judgement, proxies wait at least 30."""

MAX_STREAMS: Final = 200
"""Pages that are told of news at once: a judgement; the others show news when they are loaded again."""


MOST_FIELDS: Final = 200
"""Fields of a form: more than an incident has services."""


@dataclass(slots=True)
class Streams:
    """How many pages listen, and whether they are to be let go."""

    count: int = 0
    closing: bool = False


def make_app(site: Site, hosts: frozenset[str] | None, streams: Streams) -> Starlette:
    """Return the application; ``hosts`` are the names that it answers to, None for all."""
    pages = Pages(site, streams)
    app = Starlette(
        routes=[
            Route("/", pages.index),
            Route("/lanes.json", pages.lanes),
            Route("/compare", pages.compare),
            Route("/ask", pages.ask),
            Route("/lines/{partition:int}/{offset:int}", pages.place),
            Route("/incidents/{name}", pages.incident),
            Route("/incidents/{name}/lines/{line}", pages.lines),
            Route("/incidents/{name}/sent", pages.sent),
            Route("/incidents/{name}/draft", pages.draft),
            Route("/incidents/{name}/draft.{form}", pages.paper),
            Route("/incidents/{name}/act", pages.act, methods=["POST"]),
            Route("/events", pages.events),
            Route("/static/{name}", static),
            Route("/healthz", pages.healthz),
            *site.users.routes(),
        ],
        exception_handlers={HTTPException: _refused, InvalidError: _invalid, TocsinError: _failed},  # type: ignore[dict-item]  # its type knows no subclasses
    )
    app.add_middleware(Guard, hosts=hosts, users=site.users)
    return app


class Pages:
    """The pages of a site; those without ``async`` run in threads, so that a slow broker stops nobody else."""

    def __init__(self, site: Site, streams: Streams) -> None:
        self._site = site
        self._streams = streams

    def index(self, request: Request) -> Response:
        """The list of incidents."""
        version, query = self._site.memory.version, ListQuery.of(request.query_params)
        page = list_page(self._site.memory, query, self._site.clock(), live=self._site.live)
        return self._page(request, "list.html", version, page=page, query=query)

    def lanes(self, request: Request) -> Response:
        """What the canvas of the first page draws."""
        query, memory = ListQuery.of(request.query_params), self._site.memory
        windows, heads = memory.windows(), memory.heads()
        shown = range_of(query, heads, windows.columns()[0], self._site.clock(), live=self._site.live)
        chosen = query.select(heads, memory.annotations(head.id for head in heads), self._site.clock())
        blind = self._site.blind(shown.begin, shown.end)
        drawn = lanes(shown, windows, chosen, memory.changes(), blind)
        return Response(orjson.dumps(drawn), media_type="application/json")

    def compare(self, request: Request) -> Response:
        """The messages of a range of time against another."""
        ranges, version = self._site.ranges, self._site.memory.version
        if ranges is None:
            raise InvalidError("the lines are not at hand", "start `tocsin ui` with --logs and the files of the review")
        newest = max((head.end for head in self._site.memory.heads()), default=self._site.clock())
        asked = CompareQuery.of(request.query_params, newest)
        here, before = ranges.count(asked.begin, asked.end), ranges.count(asked.base_begin, asked.base_end)
        times = [f"{time_text(time)[:19]}Z" for time in (asked.begin, asked.end, asked.base_begin, asked.base_end)]
        values = {"asked": asked, "times": times, "here": here, "before": before, "most": MOST}
        return self._page(
            request, "compare.html", version, still=True, found=compared(here, before, asked.service), **values
        )

    def incident(self, request: Request) -> Response:
        """One incident."""
        name = request.path_params["name"]
        incident_id = self._site.find(name)
        if incident_id != name:
            return RedirectResponse(f"/incidents/{incident_id}", 307)
        version = self._site.memory.version
        page = self._incident(request)
        return self._page(request, "incident.html", version, page=page, site_has=self._has(incident_id))

    def draft(self, request: Request) -> Response:
        """The draft of a post-mortem, to be edited."""
        version, page, pins = self._site.memory.version, self._incident(request), request.query_params.getlist("pin")
        written = draft_of(page, pins)
        pinned = f"?{urlencode([('pin', pin) for pin in pins])}" if pins else ""
        link, chosen = f"/incidents/{page.head.id}/draft", {line.id for line in written.lines}
        text = written.to_markdown()
        return self._page(request, "draft.html", version, page=page, text=text, link=link, pinned=pinned, pins=chosen)

    def paper(self, request: Request) -> Response:
        """The same as a file: Markdown, one page of HTML, or JSON."""
        page, form = self._incident(request), request.path_params["form"]
        written = draft_of(page, request.query_params.getlist("pin"))
        match form:
            case "md":
                content, kind = written.to_markdown().encode(), "text/markdown; charset=utf-8"
            case "html":
                content, kind = render("paper.html", d=written).encode(), "text/html; charset=utf-8"
            case "json":
                content, kind = orjson.dumps(written.to_record()), "application/json"
            case _:
                raise InvalidError(f"a draft has no form {form[:10]!r}", "ask for md, html or json")
        name = f'attachment; filename="post-mortem-{page.short}.{form}"'
        return Response(content, media_type=kind, headers={"content-disposition": name})

    def _incident(self, request: Request) -> IncidentPage:
        page = incident_page(self._site.memory, self._site.find(request.path_params["name"]), self._site.clock())
        if page is None:
            raise InvalidError("the incident was dropped from memory a moment ago", "look for it in the list")
        return page

    def _has(self, incident_id: str) -> Mapping[str, bool]:
        """Return what there is to look further into, of an incident."""
        return {"lines": self._site.lines is not None, "sent": self._site.sent(incident_id) is not None}

    def lines(self, request: Request) -> Response:
        """The lines around one of the evidence, as a part of the page, or alone."""
        version = self._site.memory.version
        incident_id, line = self._site.find(request.path_params["name"]), request.path_params["line"]
        log = self._site.memory.log(incident_id)
        diagnosis = log.newest().diagnosis if log else None
        view = diagnosis_view(diagnosis, ()) if diagnosis else None
        chosen = next((one for one in view.lines if one.id == line), None) if view else None
        if chosen is None:
            raise InvalidError(f"the evidence has no line {line[:40]!r}", "load the page again")
        link, back = f"/incidents/{incident_id}/lines/{line}", f"/incidents/{incident_id}"
        return self._around(request, version, chosen.partition, chosen.offset, name=line, link=link, back=back)

    def place(self, request: Request) -> Response:
        """The lines around any of the topic."""
        partition, offset = request.path_params["partition"], request.path_params["offset"]
        name, version = request.query_params.get("as", "")[:12], self._site.memory.version
        link = f"/lines/{partition}/{offset}?{urlencode({'as': name})}"
        return self._around(request, version, partition, offset, name=name, link=link, back="")

    def _around(self, request: Request, version: int, partition: int, offset: int, **names: str) -> Response:
        """Return the lines around one; ``names`` are its name on the page, the address of this, and the way back."""
        if self._site.lines is None:
            raise InvalidError("the lines are not at hand", "start `tocsin ui` with --logs and the files of the review")
        everybody = request.query_params.get("of") == "everybody"
        lines = self._site.lines.around(partition, offset, everybody=everybody)
        return self._page(request, "lines.html", version, still=True, lines=lines, everybody=everybody, **names)

    def ask(self, request: Request) -> Response:
        """A question in words about a range of time."""
        if self._site.ask is None:
            raise InvalidError("the lines are not at hand", "start `tocsin ui` with --logs and the files of the review")
        version = self._site.memory.version
        newest = max((head.end for head in self._site.memory.heads()), default=self._site.clock())
        asked = QuestionQuery.of(request.query_params.multi_items(), newest)
        answer = self._site.ask(asked.text, asked.begin, asked.end) if asked.text else None
        view = diagnosis_view(answer.diagnosis, ()) if answer else None
        times = [f"{time_text(time)[:19]}Z" for time in (asked.begin, asked.end)]
        return self._page(request, "ask.html", version, still=True, asked=asked, answer=answer, d=view, times=times)

    def sent(self, request: Request) -> Response:
        """What was sent to a language model."""
        incident_id = self._site.find(request.path_params["name"])
        version = self._site.memory.version
        return self._page(request, "sent.html", version, incident_id=incident_id, text=self._site.sent(incident_id))

    async def act(self, request: Request) -> Response:
        """Write what somebody says of an incident to ``feedback``, and show the incident again."""
        body = (await request.body()).decode(errors="replace")
        try:
            fields = parse_qs(body, max_num_fields=MOST_FIELDS)
        except ValueError:
            return _message(422, "the form has too many fields", "load the page again")
        return await run_in_threadpool(self._act, request, fields)

    def _act(self, request: Request, fields: Mapping[str, Sequence[str]]) -> Response:
        incident_id, user = self._site.find(request.path_params["name"]), user_of(request)
        if self._site.publish is None:
            raise InvalidError("a review of files has nobody to tell", "act where the topics are: `tocsin ui`")
        if not user.may_act:
            return _message(403, f"{user.name} may read, and not act", "ask for the permission `responder`")
        log = self._site.memory.log(incident_id)
        if log is None:
            raise InvalidError("the incident was dropped from memory a moment ago", "look for it in the list")
        try:
            said = feedback_of(fields, log.head, user.name, self._site.clock())
            if said.into:
                said = replace(said, into=self._tenants_own(said.into, log.head.tenant))
        except InvalidError as error:
            return _message(422, error.problem, error.advice)
        self._site.publish(said)
        # The topic brings it again, which changes nothing; the answer shall show it at once.
        self._site.memory.take_feedback(said)
        return RedirectResponse(f"/incidents/{incident_id}", 303)

    def _tenants_own(self, name: str, tenant: str) -> str:
        """Return the id of an incident of a tenant."""
        other = self._site.memory.log(self._site.find(name))
        if other is None or other.head.tenant != tenant:
            raise InvalidError("incidents of different tenants cannot be merged", "choose one of the same tenant")
        return other.head.id

    async def events(self, request: Request) -> Response:
        """Tell of each change of the memory since the version that the page shows, as server-sent events."""
        if self._streams.count >= MAX_STREAMS:
            return PlainTextResponse("Too many pages listen; load the page again.\n", 503)
        shown = request.headers.get("last-event-id") or request.query_params.get("since", "")
        return StreamingResponse(self._news(shown, request), media_type="text/event-stream")

    async def _news(self, version: str, request: Request) -> AsyncIterator[str]:
        address = request.client.host if request.client else ""
        self._streams.count += 1
        silent = 0.0
        try:
            yield "retry: 2000\n\n"
            while not self._streams.closing:
                await asyncio.sleep(LOOK_S)
                silent += LOOK_S
                if not isinstance(await self._site.users.identify(request.headers, address), PageUser):
                    return  # the session has ended: the page comes again, and is told
                if (now := str(self._site.memory.version)) != version:
                    version, silent = now, 0.0
                    yield f"event: changed\nid: {version}\ndata: {version}\n\n"
                elif silent >= BEAT_S:
                    silent = 0.0
                    yield ": alive\n\n"
        finally:
            self._streams.count -= 1

    def healthz(self, _: Request) -> Response:
        """Whether the topics can be read: 200, or 503 with why not."""
        health = self._site.memory.health()
        if health.troubles:
            return PlainTextResponse("\n".join(health.troubles) + "\n", 503)
        return PlainTextResponse("ok\n" if not health.reading else f"reading {', '.join(health.reading)}\n")

    def _page(self, request: Request, template: str, version: int, /, **values: Any) -> Response:
        """Return a template as an answer; ``version`` is that of the memory before anything was read of it."""
        user, address = user_of(request), request.url.path + (f"?{request.url.query}" if request.url.query else "")
        common = {
            "user": user,
            "acts": user.may_act and self._site.publish is not None,
            "site": self._site,
            "address": address,
            "health": self._site.memory.health(),
            "version": version,
            "still": False,
        }
        return HTMLResponse(render(template, **common | values))


def user_of(request: Request) -> PageUser:
    """Return who sent a request."""
    user: PageUser = request.state.user
    return user


async def static(request: Request) -> Response:
    """A script, a style or a picture; its address holds its hash, so a browser asks once."""
    file = static_files().get(request.path_params["name"])
    if file is None:
        raise HTTPException(404)
    headers = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(file.content, media_type=file.kind, headers=headers)


def _refused(_: Request, error: HTTPException) -> Response:
    return _message(error.status_code, "There is no such page", "")


def _invalid(_: Request, error: InvalidError) -> Response:
    return _message(404, error.problem, error.advice)


def _failed(_: Request, error: TocsinError) -> Response:
    return _message(503, error.problem, error.advice)


def _message(status: int, problem: str, advice: str) -> Response:
    return HTMLResponse(render("message.html", problem=problem, advice=advice), status)
