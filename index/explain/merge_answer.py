"""From a model's answer to a diagnosis: what the lines bear out is said, the rest is marked or left out."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from index.diagnosis.types import Claim, Diagnosis, Mode
from index.explain.answer import Answer
from index.explain.grounding import Checked, check, raised, safe_action
from index.explain.prompt import Prompt
from index.text.sanitize import strip_markup

_SENTENCE: Final = 600
_MAX_ACTIONS: Final = 8
_MOST_SURE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What an answer comes to."""

    diagnosis: Diagnosis
    severity: str
    """To raise the incident to; "" for none."""
    usable: bool
    """Something in it stands on lines."""
    caused: bool
    """Its cause stands on lines."""


def conclude(
    answer: Answer,
    base: Diagnosis,
    prompt: Prompt,
    restore: Callable[[str], str],
    allowed: Collection[str] = (),
) -> Conclusion:
    """Check an answer against the lines that its model was shown, and lay it over the deterministic diagnosis.

    ``restore`` puts values back in place of pseudonyms; ``allowed`` are beginnings of links that may be told.
    """
    shown = prompt.lines
    services = {line.line.service.lower() for line in shown.values() if line.line.service}

    def told(text: str) -> str:
        return strip_markup(restore(text), _SENTENCE, allowed)

    summary, cause = check(answer.summary, shown, services), check(answer.cause, shown, services)
    said = [summary, cause, *(check(claim, shown, services) for claim in answer.claims)]
    checked = _distinct(each for each in said if each)
    verified = [each for each in checked if each.verified]
    share = len(verified) / len(checked) if checked else 0.0
    caused = cause is not None and cause.verified
    claims = tuple(Claim(told(each.text), each.lines, each.verified) for each in checked)
    known = "\n".join([prompt.user, *base.actions, base.cause])
    actions = [action for action in answer.actions if safe_action(action, known)]
    diagnosis = replace(
        base,
        mode=Mode.LLM,
        summary=told(summary.text) if summary and summary.verified else base.summary,
        cause=told(cause.text) if cause and caused else base.cause,
        confidence=min(_MOST_SURE, answer.confidence * share) if caused else base.confidence,
        service=_service(answer.service, verified, prompt) or base.service,
        claims=claims,
        actions=tuple(dict.fromkeys([*base.actions, *map(told, actions)]))[:_MAX_ACTIONS],
        note=_note(checked, len([each for each in said if not each]) - (not answer.cause.text)),
    )
    return Conclusion(diagnosis, raised(answer, checked, shown), bool(verified), caused)


def _distinct(checked: Iterable[Checked]) -> list[Checked]:
    return list({each.text: each for each in checked}.values())


def _service(named: str, verified: Iterable[Checked], prompt: Prompt) -> str:
    """Return the service that is named, where a verified sentence stands on a line of it."""
    wanted = named.lower()
    found = {prompt.lines[each].line.service for claim in verified for each in claim.lines}
    return next((service for service in sorted(found) if service and service.lower() == wanted), "")


def _note(checked: list[Checked], dropped: int) -> str:
    guesses = sum(not each.verified for each in checked)
    parts = []
    if guesses:
        parts.append(f"{guesses} of {len(checked)} sentences not borne out by the lines: hypotheses")
    if dropped > 0:
        parts.append(f"{dropped} left out")
    return "; ".join(parts)
