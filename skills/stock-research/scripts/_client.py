"""One GET to the data service: retries, typed errors, and a check of every citation that comes back.

Standard library only, Python 3.9 or newer. The scripts beside it print exactly one JSON object:
{"ok": true, ...} with exit code 0, or {"ok": false, "error": {"code": ..., "message": ...}}.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import random
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from _config import Config, is_private
from _envelope import BadEnvelope
from _failure import AUTH, BAD_ENVELOPE, NOT_AVAILABLE, OK, RATE_LIMITED, UPSTREAM, USAGE, Failure

VERSION = "0.1.0"

MAX_BODY_BYTES = 1024 * 1024
MAX_LIMITED_RETRIES = 3
MAX_LIMITED_WAIT_S = 90.0
MAX_ONE_WAIT_S = 60.0
DEFAULT_WAIT_S = 5.0
FAULT_WAITS_S = (1.0, 3.0)
FAULT_STATUSES = (500, 502, 503, 504)


class Answer(NamedTuple):
    status: int
    retry_after: Optional[str]
    body: bytes
    content_type: str


def run(
    command: Callable[[], Dict[str, Any]],
    exit_code_of: Callable[[Dict[str, Any]], int] = lambda _: OK,
) -> int:
    """Runs a script's command, prints its one JSON object, and returns the exit code."""
    try:
        answer = command()
        exit_code = exit_code_of(answer)
        result = {"ok": exit_code == OK, **answer}
    except Failure as failure:
        result, exit_code = failure.to_json(), failure.exit_code
    except BadEnvelope as problem:
        # Nothing of the answer is shown: what cannot be cited must not look like data.
        result = Failure(BAD_ENVELOPE, "bad_envelope", str(problem)).to_json()
        exit_code = BAD_ENVELOPE
    sys.stdout.buffer.write(json.dumps(result, ensure_ascii=False).encode("utf-8") + b"\n")
    sys.stdout.flush()
    return exit_code


def get(
    config: Config,
    path: str,
    parameters: Optional[Dict[str, Optional[str]]] = None,
    sleep: Callable[[float], None] = time.sleep,
    send: Optional[Callable[[urllib.request.Request, float], Answer]] = None,
) -> Any:
    """The JSON of a 200 answer, or a Failure. All calls are GET, so trying again is safe."""
    request = _build_request(config, path, parameters or {})
    transmit = send or _transmitter(config)
    limited = faults = 0
    waited_s = 0.0
    # Ends after at most three limited and two faulty answers.
    while True:
        try:
            answer = transmit(request, config.timeout_s)
        except _Unreachable as problem:
            answer, reason = None, str(problem)
        else:
            reason = f"the service answered {answer.status}"
            if answer.status == 200:
                return _parse(answer)
            if answer.status != 429 and answer.status not in FAULT_STATUSES:
                raise _refusal(answer)
        if answer is not None and (answer.status == 429 or (answer.status == 503 and answer.retry_after)):
            wait_s = retry_after_s(answer.retry_after)
            if limited == MAX_LIMITED_RETRIES or waited_s + wait_s > MAX_LIMITED_WAIT_S:
                raise _gave_up(answer, wait_s)
            limited += 1
        else:
            if faults == len(FAULT_WAITS_S):
                raise Failure(UPSTREAM, "service_unavailable", f"Tried {faults + 1} times; {reason}.")
            wait_s = FAULT_WAITS_S[faults]
            faults += 1
        print(f"{reason}; again in {wait_s:.1f} s", file=sys.stderr)
        sleep(wait_s)
        waited_s += wait_s


def retry_after_s(header: Optional[str], now_s: Optional[float] = None) -> float:
    """Seconds to wait: the header as a number or a date, else 5; at most 60; a little later, never earlier."""
    seconds = DEFAULT_WAIT_S
    text = (header or "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        seconds = float(text)
    elif text:
        try:
            moment = email.utils.parsedate_to_datetime(text)
            seconds = max(0.0, moment.timestamp() - (time.time() if now_s is None else now_s))
        except (TypeError, ValueError, OverflowError):
            pass  # Neither a number nor a date: the default.
    return min(MAX_ONE_WAIT_S, seconds * (1 + 0.2 * random.random()))


class _Unreachable(Exception):
    """No complete answer came: trying again may help."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The key goes to the service it belongs to and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _transmitter(config: Config) -> Callable[[urllib.request.Request, float], Answer]:
    handlers: List[urllib.request.BaseHandler] = [_NoRedirect()]
    if is_private(urllib.parse.urlsplit(config.url).hostname or ""):
        # A proxy of the environment cannot reach it, and would see the key in plain text.
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)

    def send(request: urllib.request.Request, timeout_s: float) -> Answer:
        deadline = time.monotonic() + timeout_s
        try:
            try:
                response = opener.open(request, timeout=timeout_s)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                body = _read_body(response, deadline)
                return Answer(
                    response.status if hasattr(response, "status") else response.code,
                    response.headers.get("Retry-After"),
                    body,
                    response.headers.get_content_type(),
                )
        except (OSError, http.client.HTTPException) as problem:
            raise _Unreachable(_reason(problem)) from None

    return send


def _read_body(response: Any, deadline: float) -> bytes:
    chunks: List[bytes] = []
    size = 0
    while True:
        if time.monotonic() > deadline:
            raise _Unreachable("the answer did not arrive in time")
        chunk = response.read1(65536)
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise Failure(BAD_ENVELOPE, "bad_envelope", "The answer is larger than 1 MiB.")
    declared = response.headers.get("Content-Length")
    if declared is not None and declared.isdigit() and int(declared) != size:
        raise _Unreachable("the answer ended early")
    return b"".join(chunks)


def _reason(problem: BaseException) -> str:
    inner = getattr(problem, "reason", problem)
    if isinstance(inner, TimeoutError) or "timed out" in str(inner):
        return "no answer in time"
    # The kind alone: a message may repeat what was sent.
    return f"the service cannot be reached ({type(inner).__name__})"


def _build_request(
    config: Config, path: str, parameters: Dict[str, Optional[str]]
) -> urllib.request.Request:
    given = {name: value for name, value in parameters.items() if value is not None}
    query = f"?{urllib.parse.urlencode(given)}" if given else ""
    return urllib.request.Request(
        f"{config.url}{path}{query}",
        headers={
            "Accept": "application/json",
            "Authorization": f"Bearer {config.token}",
            "User-Agent": f"twilight-skill/{VERSION}",
            # One id for all tries of a call, so that the service sees them as one.
            "X-Request-Id": str(uuid.uuid4()),
        },
    )


def _parse(answer: Answer) -> Any:
    if not re.fullmatch(r"application/([\w.+-]+\+)?json", answer.content_type):
        raise BadEnvelope(f"The answer is {answer.content_type}, not JSON")
    return parse_json(answer.body)


def parse_json(body: bytes) -> Any:
    """Strict JSON: no NaN, no Infinity, UTF-8 only."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON number")

    try:
        return json.loads(body.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError):
        raise BadEnvelope("The answer is not valid JSON") from None


def _refusal(answer: Answer) -> Failure:
    status = answer.status
    code, message = _problem_of(answer)
    if status == 400:
        return Failure(USAGE, code or "invalid_parameter", message or "The service refused the parameters.")
    if status in (401, 403):
        return Failure(AUTH, code or "access_ended", message or "Access has ended. Ask the operator.")
    if status == 404:
        return Failure(NOT_AVAILABLE, code or "not_found", message or "The service has no such data.")
    if status == 501:
        return Failure(NOT_AVAILABLE, code or "not_implemented", message or "This is not available yet.")
    if 300 <= status < 400:
        return Failure(
            UPSTREAM,
            "redirected",
            "The service sent us elsewhere, and the key stays here. Correct TWILIGHT_SERVICE_URL.",
        )
    return Failure(UPSTREAM, code or "unexpected_status", message or f"The service answered {status}.")


def _gave_up(answer: Answer, wait_s: float) -> Failure:
    again = round(wait_s, 1)
    if answer.status == 429:
        return Failure(RATE_LIMITED, "rate_limited", "Too many requests. Wait before you ask again.", again)
    code, message = _problem_of(answer)
    return Failure(UPSTREAM, code or "service_unavailable", message or "The service is not available.", again)


def _problem_of(answer: Answer) -> Any:
    """Code and sentence of a problem+json body; (None, None) for anything else."""
    try:
        body = _parse(answer)
    except BadEnvelope:
        return None, None
    if not isinstance(body, dict):
        return None, None
    code = body.get("code")
    sentences = [body.get(name) for name in ("detail_zh", "detail", "title_zh", "title")]
    message = next((text for text in sentences if isinstance(text, str) and text), None)
    known = isinstance(code, str) and re.fullmatch(r"[a-z][a-z0-9_]{1,63}", code)
    return (code if known else None), (message[:500] if message else None)
