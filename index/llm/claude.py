"""Claude: one question, one streamed answer, in bounded time and money.  Only this file imports the SDK.

The SDK takes key and address from the environment (``ANTHROPIC_API_KEY``, ``ANTHROPIC_BASE_URL``) and repeats failed
attempts itself, with pauses as the provider asks for them.  Three things are done here, as the SDK does not: money is
reserved for each attempt, an attempt that may have been billed is not repeated, and a time limit spans all attempts.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from http import HTTPStatus
from threading import Lock, Thread
from typing import Any, Final

from index.llm.client import LlmFailure, Question, Reply, Reservation, RetryPolicy, UnansweredError
from index.llm.prices import Price, Usage

_POLL_S: Final = 0.1
"""Seconds between looks at whether a question was cancelled: a judgement, short against the seconds of an answer."""

_OVERLOADED: Final = 529
"""The provider's own HTTP status for "overloaded"; the standard has none."""

_DENIED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN})
_TRY_LATER: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT})


class Claude:
    """The Messages API.  Questions may be asked by many threads; they share one event loop and its connections."""

    def __init__(self, policy: RetryPolicy | None = None) -> None:
        """Connect to nothing yet: the SDK is loaded with the first question."""
        self._policy = policy or RetryPolicy()
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._client: Any = None

    def ask(self, question: Question, price: Price, account: Reservation, cancelled: Callable[[], bool]) -> Reply:
        """Ask, and wait for the answer.

        Raises:
            UnansweredError: there is none, for a reason that the error names; ``account`` knows what it has cost.
        """
        call = _Call(self._sdk(), question, price, account)
        future = asyncio.run_coroutine_threadsafe(call.answer(self._policy.total, cancelled), self._running_loop())
        try:
            return future.result()
        except CancelledError:
            raise UnansweredError(LlmFailure.CANCELLED) from None
        finally:
            # Where the wait was interrupted (Ctrl-C), nobody will read the answer.
            future.cancel()

    def prepare(self) -> None:
        """Load the SDK, which takes seconds, so that the first question need not.

        Raises:
            UnansweredError: there is no key.
        """
        self._sdk()

    def close(self) -> None:
        """Cancel open questions, and close the connections."""
        with self._lock:
            thread, loop, client = self._thread, self._loop, self._client
            self._thread = self._loop = self._client = None
        if thread is not None and loop is not None:
            asyncio.run_coroutine_threadsafe(_close(client), loop).add_done_callback(
                lambda _: loop.call_soon_threadsafe(loop.stop)
            )
            thread.join()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = Thread(target=_run, args=(self._loop,), name="claude", daemon=True)
                self._thread.start()
            return self._loop

    def _sdk(self) -> Any:
        """Return the SDK's client; in the caller's thread, as the import would block the event loop.

        Raises:
            UnansweredError: there is no key.
        """
        with self._lock:
            if self._client is None:
                import anthropic

                policy = self._policy
                times = anthropic.Timeout(policy.total, connect=policy.connect, read=policy.idle, write=policy.idle)
                try:
                    client = anthropic.AsyncAnthropic(timeout=times, max_retries=policy.attempts - 1)
                except (anthropic.AnthropicError, ValueError, TypeError) as error:
                    raise UnansweredError(LlmFailure.NO_KEY) from error
                if client.api_key is None and client.auth_token is None and client.credentials is None:
                    raise UnansweredError(LlmFailure.NO_KEY)
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


class _Call:
    """One question with all its attempts.  Reserves the worst case before each, and settles what it has cost."""

    def __init__(self, client: Any, question: Question, price: Price, account: Reservation) -> None:
        # The SDK calls its middleware once an attempt, inside its own loop of retries.
        self._client = client.with_middleware(self._attempt)
        self._question = question
        self._price = price
        self._account = account
        self._failure: LlmFailure | None = None
        """Why the last attempt failed, while the SDK waits for the next one."""
        self._usage: Usage | None = None
        """Tokens as far as the provider has said; None before the answer begins."""
        self._complete = False

    async def answer(self, total_s: float, cancelled: Callable[[], bool]) -> Reply:
        """Return the answer, within ``total_s`` seconds for all attempts and the pauses between them.

        The SDK's own limits are for one attempt, and a provider that sends pings never reaches them.

        Raises:
            UnansweredError: there is none.
        """
        try:
            async with asyncio.timeout(total_s):
                return await _unless(cancelled, self._stream())
        except TimeoutError:
            # A pause as long as the provider asks for may end the time: then its refusal is the reason.
            raise UnansweredError(self._failure or LlmFailure.TIMEOUT) from None
        finally:
            self._account.settle(self._cost())

    def _cost(self) -> float | None:
        """Return the dollars of the open attempt; None where it was sent and the provider has not said."""
        usage = self._usage
        if usage is None:
            return None
        if not self._complete:
            # Of an answer that broke off the prompt is known, and of the rest only that it had a limit.
            usage = Usage(usage.input, self._question.max_tokens, usage.cache_write, usage.cache_read)
        return self._price.cost(usage)

    async def _attempt(self, request: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        """Reserve the worst case of one attempt and make it; give the money back where it cannot have been billed.

        An attempt that goes on is settled with the whole question.  To reserve blocks the loop for the milliseconds of
        a file: in a thread of its own it could not be undone when the question is cancelled meanwhile.
        """
        import anthropic
        import httpx2

        self._failure = None
        if not self._account.take():
            raise UnansweredError(LlmFailure.OVER_BUDGET)
        try:
            response = await call_next(request)
        except anthropic.APIConnectionError as error:
            cause = error.__cause__
            unsent = isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
            self._account.settle(0.0 if unsent else None)
            if isinstance(error, anthropic.APITimeoutError) and not unsent:
                # The model may still be writing: to ask again would be to pay twice.  The SDK looks for its own errors
                # in the chain of causes, and would repeat this one.
                raise UnansweredError(LlmFailure.TIMEOUT) from cause
            self._failure = LlmFailure.CONNECTION
            raise
        if response.http_response.is_error:
            self._account.settle(0.0)
            self._failure = _failure_of(response.http_response.status_code)
        return response

    async def _stream(self) -> Reply:
        """Make the call and read its answer to the end."""
        import anthropic
        import httpx2

        question = self._question
        config: dict[str, Any] = {"format": {"type": "json_schema", "schema": dict(question.schema)}}
        if question.effort and self._price.effort:
            config["effort"] = question.effort
        try:
            async with self._client.messages.stream(
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
        except anthropic.APIConnectionError as error:
            raise UnansweredError(LlmFailure.CONNECTION) from error
        except anthropic.APIStatusError as error:
            raise UnansweredError(_failure_of(int(error.status_code), error.type or "")) from error
        except httpx2.TimeoutException as error:
            raise UnansweredError(LlmFailure.TIMEOUT) from error
        except (anthropic.AnthropicError, httpx2.HTTPError, httpx2.StreamError, ValueError, AssertionError) as error:
            # The SDK asserts that a stream has begun before it is over, and reads every event as JSON.
            raise UnansweredError(LlmFailure.BROKEN_OFF) from error
        if message.stop_reason is None:
            raise UnansweredError(LlmFailure.BROKEN_OFF)
        self._usage = _usage(message.usage)
        self._complete = True
        text = "".join(block.text for block in message.content if block.type == "text")
        return Reply(text, message.stop_reason, self._usage)


async def _unless(cancelled: Callable[[], bool], answer: Awaitable[Reply]) -> Reply:
    """Return the answer; cancel it as soon as ``cancelled`` says so.

    Raises:
        UnansweredError: it was cancelled, or ``answer`` raised it.
    """
    task = asyncio.ensure_future(answer)
    try:
        while not task.done():
            if cancelled():
                raise UnansweredError(LlmFailure.CANCELLED)
            await asyncio.wait([task], timeout=_POLL_S)
        return task.result()
    finally:
        # It must have ended before its cost is settled.
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _failure_of(status: int, kind: str = "") -> LlmFailure:
    """Return what a refusal means; in the middle of a stream its HTTP status is 200 and only its ``kind`` tells."""
    if kind == "overloaded_error" or status == _OVERLOADED:
        return LlmFailure.OVERLOADED
    if kind == "rate_limit_error" or status == HTTPStatus.TOO_MANY_REQUESTS:
        return LlmFailure.RATE_LIMITED
    if status in _DENIED:
        return LlmFailure.DENIED
    in_stream = status < HTTPStatus.BAD_REQUEST
    if in_stream or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRY_LATER:
        return LlmFailure.SERVER_ERROR
    return LlmFailure.REJECTED


def _usage(usage: Any) -> Usage:
    return Usage(
        input=usage.input_tokens or 0,
        output=usage.output_tokens or 0,
        cache_write=usage.cache_creation_input_tokens or 0,
        cache_read=usage.cache_read_input_tokens or 0,
    )
