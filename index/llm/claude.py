"""Claude: one question, one streamed answer, in bounded time and money.  Only this file imports the SDK.

The key and the address are the SDK's own affair (``ANTHROPIC_API_KEY``, ``ANTHROPIC_BASE_URL``).
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from threading import Lock, Thread
from typing import Any, Final

from index.llm.client import LlmFailure, Question, Reply, Reservation, RetryPolicy, UnansweredError
from index.llm.prices import Price, Usage

_POLL: Final = 0.1
"""Seconds between looks at whether the question still stands."""

_BAD: Final = 400
_CONFLICT: Final = 409
_TIMEOUT: Final = 408
_TOO_MANY: Final = 429
_SERVER: Final = 500
_OVERLOADED: Final = 529
_RETRYABLE: Final = frozenset({_TIMEOUT, _CONFLICT, _TOO_MANY})
_DENIED: Final = frozenset({401, 402, 403})


class Claude:
    """The Messages API.  Questions may be asked by many threads; they share one loop and its connections."""

    def __init__(
        self,
        patience: RetryPolicy | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Connect to nothing yet: the SDK is loaded with the first question."""
        self._patience = patience or RetryPolicy()
        self._sleep = sleep
        self._clock = clock
        self._chance = chance
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._client: Any = None

    def ask(self, question: Question, price: Price, account: Reservation, cancelled: Callable[[], bool]) -> Reply:
        """Ask, and wait for the answer.

        Raises:
            UnansweredError: there is none, for a reason that the error names; ``account`` knows what it has cost.
        """
        patience = self._patience
        self.prepare()
        deadline = self._clock() + patience.total
        for attempt in range(1, patience.attempts + 1):
            try:
                return self._attempt(_Call(question, price), account, deadline, cancelled)
            except _FailedError as failed:
                wait = self._wait(failed, attempt)
                if not failed.again or attempt == patience.attempts or self._clock() + wait > deadline:
                    raise UnansweredError(failed.failure) from failed
            while wait > 0 and not cancelled():
                self._sleep(min(wait, _POLL))
                wait -= _POLL
        raise AssertionError("the last attempt answers or raises")

    def prepare(self) -> None:
        """Load the SDK, which takes seconds, once: not in the time of a question, and never in an event loop.

        Raises:
            UnansweredError: there is no key.
        """
        try:
            self._sdk()
        except _FailedError as failed:
            raise UnansweredError(failed.failure) from failed

    def _attempt(self, call: "_Call", account: Reservation, deadline: float, cancelled: Callable[[], bool]) -> Reply:
        if cancelled():
            raise _FailedError(LlmFailure.CANCELLED)
        if not account.take():
            raise _FailedError(LlmFailure.OVER_BUDGET)
        try:
            future = asyncio.run_coroutine_threadsafe(self._timed(call, deadline), self._running())
            while True:
                try:
                    return future.result(_POLL)
                except TimeoutError:
                    # Not yet.
                    if cancelled():
                        future.cancel()
                except CancelledError:
                    raise _FailedError(LlmFailure.CANCELLED) from None
        finally:
            account.settle(call.cost())

    async def _timed(self, call: "_Call", deadline: float) -> Reply:
        try:
            async with asyncio.timeout(deadline - self._clock()):
                return await call.stream(self._sdk())
        except TimeoutError:
            raise _FailedError(LlmFailure.TIMEOUT) from None

    def close(self) -> None:
        """Break off what is being asked, and close the connections."""
        with self._lock:
            thread, loop, client = self._thread, self._loop, self._client
            self._thread = self._loop = self._client = None
        if thread is not None and loop is not None:
            asyncio.run_coroutine_threadsafe(_close(client), loop).add_done_callback(
                lambda _: loop.call_soon_threadsafe(loop.stop)
            )
            thread.join()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = Thread(target=_run, args=(self._loop,), name="claude", daemon=True)
                self._thread.start()
            return self._loop

    def _wait(self, failed: "_FailedError", attempt: int) -> float:
        """Return how long to wait: what the provider asks for at least, and not all at the same moment."""
        pause: float = min(self._patience.longest_pause, self._patience.pause * 2.0 ** (attempt - 1))
        if failed.after is not None:
            return failed.after + self._chance() * self._patience.pause
        return pause * (0.5 + 0.5 * self._chance())

    def _sdk(self) -> Any:
        """Return the SDK's client."""
        with self._lock:
            if self._client is None:
                import anthropic

                patience = self._patience
                idle = patience.idle
                times = anthropic.Timeout(patience.total, connect=patience.connect, read=idle, write=idle)
                try:
                    client = anthropic.AsyncAnthropic(timeout=times, max_retries=0)
                except (anthropic.AnthropicError, ValueError, TypeError) as error:
                    raise _FailedError(LlmFailure.NO_KEY) from error
                if client.api_key is None and client.auth_token is None and client.credentials is None:
                    raise _FailedError(LlmFailure.NO_KEY)
                self._client = client
            return self._client


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def _close(client: Any) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    if client is not None:
        await client.close()


class _FailedError(Exception):
    """One attempt failed; ``again``: another may not; ``after``: seconds that the provider asks to wait."""

    def __init__(self, failure: LlmFailure, *, again: bool = False, after: float | None = None) -> None:
        super().__init__(failure.value)
        self.failure = failure
        self.again = again
        self.after = after


class _Call:
    """One attempt, and what it has cost so far."""

    def __init__(self, question: Question, price: Price) -> None:
        self._question = question
        self._price = price
        self._sent = False
        self._usage: Usage | None = None
        self._ended = False

    def cost(self) -> float | None:
        """Return dollars; None where it was sent and nobody has said what it costs."""
        if not self._sent:
            return 0.0
        if self._usage is None:
            return None
        if self._ended:
            return self._price.cost(self._usage)
        # Broken off: the prompt is known, of the answer only that it had a limit.
        usage = self._usage
        return self._price.cost(Usage(usage.input, self._question.max_tokens, usage.cache_write, usage.cache_read))

    async def stream(self, client: Any) -> Reply:
        """Make the call and read its answer to the end."""
        import anthropic
        import httpx2

        question = self._question
        config: dict[str, Any] = {"format": {"type": "json_schema", "schema": dict(question.schema)}}
        if question.effort and self._price.effort:
            config["effort"] = question.effort
        self._sent = True
        try:
            async with client.messages.stream(
                model=question.model,
                max_tokens=question.max_tokens,
                system=question.system,
                messages=[{"role": "user", "content": question.user}],
                output_config=config,
            ) as stream:
                async for event in stream:
                    if event.type == "message_start":
                        self._usage = _usage(event.message.usage)
                message = await stream.get_final_message()
        except anthropic.APITimeoutError as error:
            self._sent = not isinstance(error.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout)
            raise _FailedError(
                LlmFailure.TIMEOUT if self._sent else LlmFailure.CONNECTION, again=not self._sent
            ) from error
        except anthropic.APIConnectionError as error:
            self._sent = not isinstance(error.__cause__, httpx2.ConnectError)
            raise _FailedError(LlmFailure.CONNECTION, again=self._usage is None) from error
        except anthropic.APIStatusError as error:
            raise self._refused(error) from error
        except httpx2.TimeoutException as error:
            raise _FailedError(LlmFailure.TIMEOUT) from error
        except (anthropic.AnthropicError, httpx2.HTTPError, httpx2.StreamError, ValueError, AssertionError) as error:
            # The SDK asserts that a stream has begun before it is over, and reads every event as JSON.
            raise _FailedError(LlmFailure.BROKEN_OFF) from error
        if message.stop_reason is None:
            raise _FailedError(LlmFailure.BROKEN_OFF)
        self._usage = _usage(message.usage)
        self._ended = True
        text = "".join(block.text for block in message.content if block.type == "text")
        return Reply(text, message.stop_reason, self._usage)

    def _refused(self, error: Any) -> _FailedError:
        """Return what an error of the provider means; one in the middle of a stream has status 200."""
        status = int(error.status_code)
        begun = status < _BAD
        self._sent = begun
        kind = error.type or ""
        if kind == "overloaded_error" or status == _OVERLOADED:
            failure = LlmFailure.OVERLOADED
        elif kind == "rate_limit_error" or status == _TOO_MANY:
            failure = LlmFailure.RATE_LIMITED
        elif status in _DENIED:
            failure = LlmFailure.DENIED
        elif begun or status >= _SERVER or status in _RETRYABLE:
            failure = LlmFailure.SERVER_ERROR
        else:
            failure = LlmFailure.REJECTED
        again = not begun and (status in _RETRYABLE or status >= _SERVER)
        return _FailedError(failure, again=again, after=_after(error.response.headers))


def _usage(usage: Any) -> Usage:
    return Usage(
        input=usage.input_tokens or 0,
        output=usage.output_tokens or 0,
        cache_write=usage.cache_creation_input_tokens or 0,
        cache_read=usage.cache_read_input_tokens or 0,
    )


def _after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of Retry-After; as a date it is left to the pause, as clocks differ."""
    try:
        after = float(headers.get("retry-after-ms", "")) / 1_000
    except ValueError:
        try:
            after = float(headers.get("retry-after", ""))
        except ValueError:
            return None
    return after if after >= 0 else None
