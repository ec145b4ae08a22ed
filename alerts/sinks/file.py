"""A file, or standard output: one line of JSON for every state of an incident."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alerts.messages.alert import Alert
from alerts.sinks.base import (
    LAST_DIGEST,
    Absent,
    Delivered,
    Outcome,
    Rate,
    Remote,
    Request,
    Response,
    Sink,
    digest_of,
    outcome_of,
)

STDOUT: Final = "-"
SCHEME: Final = "file:"
RATE: Final = Rate(1000.0, burst=1000)
"""A judgement: a disk takes more; it only bounds a loop that has gone wrong."""


@dataclass(frozen=True, slots=True)
class FileSink(Sink):
    """``path`` ``-`` is standard output."""

    path: str
    name: str = "file"
    rate: Rate = RATE

    def render(self, alert: Alert, remote: Remote, now: float) -> Request | None:
        """Append the alert; what stands at the file's end already is not appended again."""
        del now
        digest = digest_of(alert)
        if remote.get(LAST_DIGEST) == digest:
            return None
        url = SCHEME + (self.path if self.path == STDOUT else str(Path(self.path).absolute()))
        line = alert.to_json()
        after = {LAST_DIGEST: digest}
        check = None if self.path == STDOUT else Request(url, line, method="GET", step="check", remote=after)
        return Request(url, line + b"\n", step="append", remote=after, dedup_check=check)

    def classify(self, request: Request, response: Response, remote: Remote) -> Outcome:
        """A check looks for the line among the last of the file."""
        del remote
        if request.step == "check" and response.status == 200:  # noqa: PLR2004 - as the transport says it
            return Delivered(request.remote) if request.body in response.body.split(b"\n") else Absent()
        return outcome_of(response, request)
