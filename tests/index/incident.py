"""An incident for tests of explaining: nova cannot build an instance, because neutron does not bind its port."""

from collections.abc import Sequence
from dataclasses import replace

from index.diagnosis.types import Claim, Diagnosis, Mode, Moment
from index.evidence.types import Change, Evidence, EvidenceLine
from index.search.documents import Similar
from models.records import Level

START = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
REQUEST = "req-6a1f0c9e-3b55-4c7e-9f0e-0d6a7c1b2e33"
INSTANCE = "3f0e9d53-2a44-4b8e-8d1f-3b7c5a9e1f20"


def blamed(service: str, cause: str, confidence: float, *, consequence: bool = False) -> Diagnosis:
    """Return a diagnosis of which only the cause matters."""
    return Diagnosis(
        Mode.DETERMINISTIC, "", cause, confidence, service, (), (), (), actions=(), consequence=consequence
    )


_LINES = (
    (
        "nova-compute",
        Level.ERROR,
        f"[instance: {INSTANCE}] Instance failed to spawn: PortBindingFailed: Binding failed",
        3,
    ),
    ("neutron-server", Level.ERROR, f"{REQUEST} Failed to bind port 77ab on host compute-3: no agent alive", 2),
    ("neutron-openvswitch-agent", Level.CRITICAL, "Agent terminated: AMQP server on 10.0.0.5:5672 is unreachable", 1),
    ("nova-scheduler", Level.WARNING, "Retry 2 of 3 for host compute-3 after 30s", 2),
    ("nova-api", Level.INFO, f'{REQUEST} "POST /v2.1/servers HTTP/1.1" status: 202 len: 512 time: 1.4031', 1),
)


def lines(texts: Sequence[tuple[str, Level, str, int]] = _LINES) -> tuple[EvidenceLine, ...]:
    """Evidence lines of (service, level, text, count), ids in order."""
    return tuple(
        EvidenceLine(
            id=f"L{number}",
            source="logs.raw",
            partition=0,
            offset=100 + number,
            time=START + number * 1_000_000,
            service=service,
            host="compute-3",
            level=level,
            text=text,
            template=text,
            count=count,
            score=1.0 / number,
        )
        for number, (service, level, text, count) in enumerate(texts, 1)
    )


def incident(*more: str, tenant: str = "default") -> Evidence:
    """The incident, with further lines of nova-compute at level ERROR."""
    extra = tuple(("nova-compute", Level.ERROR, text, 1) for text in more)
    return Evidence(
        tenant=tenant,
        services=("nova-compute", "neutron-server"),
        start=START,
        end=START + 60_000_000,
        reasons=("3 of `Instance failed to spawn: <*>`, never seen before",),
        lines=lines(_LINES + extra),
        story=("L5", "L2", "L1"),
        first_bad="L2",
        changes=(Change(START - 60_000_000, "neutron-server", "deployed 24.0.1"),),
        similar=(Similar("rb1", "runbook", "Port binding fails", "Check that the agents are alive.", 0.8),),
    )


def rules() -> Diagnosis:
    """What the rules say of it."""
    return Diagnosis(
        mode=Mode.DETERMINISTIC,
        summary="nova-compute failed to spawn an instance.",
        cause="A port could not be bound.",
        confidence=0.4,
        service="neutron-server",
        services=("nova-compute", "neutron-server"),
        claims=(Claim("nova-compute failed to spawn an instance.", ("L1",), verified=True),),
        timeline=(Moment(START, "nova-api", "request", "L5"),),
        actions=("Check that the agents are alive.",),
    )


class Plain:
    """A redactor that has nothing to take out."""

    def redact(self, texts: Sequence[str]) -> Sequence[str]:
        """Return the texts as they are."""
        return list(texts)

    def restore(self, text: str) -> str:
        """Return the text as it is."""
        return text

    def leaks(self, text: str) -> Sequence[str]:
        """Nothing can leak."""
        return () if text else ("an empty prompt",)


class Replacing(Plain):
    """A redactor that knows one secret."""

    def __init__(self, secret: str, pseudonym: str) -> None:
        """Take ``secret`` out."""
        self._secret, self._pseudonym = secret, pseudonym

    def redact(self, texts: Sequence[str]) -> Sequence[str]:
        """Put the pseudonym in its place."""
        return [text.replace(self._secret, self._pseudonym) for text in texts]

    def restore(self, text: str) -> str:
        """Put the secret back."""
        return text.replace(self._pseudonym, self._secret)

    def leaks(self, text: str) -> Sequence[str]:
        """Tell whether it is still there."""
        return [self._pseudonym] * (self._secret in text)


def without_note(diagnosis: Diagnosis) -> Diagnosis:
    """The diagnosis without what differs from call to call."""
    return replace(diagnosis, note="", seconds=0.0, cost_usd=0.0)
