"""What every figure must carry before it may be shown: its value, its date and its cite."""

from __future__ import annotations

import datetime
import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any, List, Optional

TOOL_CALL_ID = re.compile(r"tc_[A-Za-z0-9_-]{8,64}")
CLOCK_SKEW = datetime.timedelta(minutes=5)
SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))


class BadEnvelope(Exception):
    """An answer that cannot be cited, and why. Its message never holds a figure of the answer."""


def check_claim(
    claim: Any, asked_code: Optional[str] = None, asked_date: Optional[str] = None
) -> Any:
    """The claim itself when it is complete and answers the question; otherwise BadEnvelope."""
    if not isinstance(claim, dict):
        raise BadEnvelope("A claim is not an object")
    check_cite(claim.get("cite"))
    _check_value(claim)
    for field in ("metric", "unit", "code"):
        _need(_is_text(claim.get(field)), f"{field} is missing")
    as_of = read_date(claim.get("as_of"))
    _need(as_of is not None, "as_of is not a date")
    _need(as_of <= (_now() + CLOCK_SKEW).astimezone(SHANGHAI).date(), "as_of lies in the future")
    if asked_code is not None:
        _need(same_code(asked_code, claim["code"]), "the answer is about another code than the one asked for")
    if asked_date is not None:
        _need(as_of == read_date(asked_date), "the answer is about another day than the one asked for")
    return claim


def check_claims(claims: Any, asked_code: Optional[str] = None) -> List[Any]:
    _need(isinstance(claims, list) and len(claims) > 0, "the answer has no claims")
    checked = [check_claim(claim, asked_code) for claim in claims]
    by_id = {claim["cite"]["tool_call_id"]: claim for claim in checked}
    for claim in checked:
        _need(by_id[claim["cite"]["tool_call_id"]] == claim, "two figures have the same tool_call_id")
    return checked


def check_result(result: Any) -> Any:
    """One hit of a web search: text with a cite that names the page."""
    _need(isinstance(result, dict), "a search result is not an object")
    for field in ("title", "url", "snippet"):
        _need(isinstance(result.get(field), str), f"{field} of a search result is missing")
    check_cite(result.get("cite"))
    return result


def check_cite(cite: Any) -> None:
    if not isinstance(cite, dict):
        raise BadEnvelope("A figure has no cite")
    _need(cite.get("kind") == "tool", "cite.kind is not tool")
    for field in ("source", "served_version"):
        _need(_is_text(cite.get(field)), f"cite.{field} is missing")
    served_by = cite.get("served_by")
    # A list of upstreams for market data, our name for web search.
    listed = isinstance(served_by, list) and served_by and all(_is_text(name) for name in served_by)
    _need(_is_text(served_by) or listed, "cite.served_by is missing")
    fetched_at = read_instant(cite.get("fetched_at"))
    _need(fetched_at is not None, "cite.fetched_at is not a time with a zone")
    _need(fetched_at <= _now() + CLOCK_SKEW, "cite.fetched_at lies in the future")
    age = cite.get("cache_age_seconds")
    _need(isinstance(age, int) and not isinstance(age, bool) and age >= 0, "cite.cache_age_seconds is not valid")
    call_id = cite.get("tool_call_id")
    _need(isinstance(call_id, str) and TOOL_CALL_ID.fullmatch(call_id), "cite.tool_call_id is not valid")


def same_code(asked: str, answered: Any) -> bool:
    """`600519`, `SH600519` and `600519.sh` are all answered as `600519.SH`."""
    if not isinstance(answered, str):
        return False
    (asked_number, asked_market), (number, market) = _split_code(asked), _split_code(answered)
    return asked_number == number and asked_market in ("", market)


def read_date(text: Any) -> Optional[datetime.date]:
    """2026-11-19 or 20261119; None for anything else."""
    if not isinstance(text, str):
        return None
    match = re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})|(\d{4})(\d{2})(\d{2})", text, re.ASCII)
    if not match:
        return None
    year, month, day = (int(part) for part in match.groups() if part is not None)
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None


def read_instant(text: Any) -> Optional[datetime.datetime]:
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"
    if not isinstance(text, str) or not re.fullmatch(pattern, text, re.ASCII):
        return None
    # Python 3.9 reads neither Z nor fractions of other than 3 or 6 digits.
    plain = re.sub(r"\.\d+", "", text).replace("Z", "+00:00")
    try:
        return datetime.datetime.fromisoformat(plain)
    except ValueError:
        return None


def _check_value(claim: Any) -> None:
    _need("value" in claim, "a claim has no value")
    value, text = claim["value"], claim.get("value_text")
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    _need(value is None or (is_number and math.isfinite(value)), "value is neither a finite number nor null")
    _need(text is None or isinstance(text, str), "value_text is not text")
    if value is None or text is None:
        return
    try:
        exact = Decimal(text)
    except InvalidOperation:
        raise BadEnvelope("value_text is not a number") from None
    _need(exact.is_finite() and float(exact) == float(value), "value and value_text differ")


def _split_code(code: str) -> Any:
    text = code.strip().upper()
    match = re.fullmatch(r"(?:(SH|SZ|BJ)\.?)?(\d{6})(?:\.(SH|SZ|BJ|SS))?", text, re.ASCII)
    if match:
        market = match.group(3) or match.group(1) or ""
        return match.group(2), "SH" if market == "SS" else market
    # Hong Kong writes the same code with and without leading zeros.
    match = re.fullmatch(r"(\d{1,5})\.HK", text, re.ASCII)
    return (match.group(1).lstrip("0"), "HK") if match else (text, "")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _need(condition: Any, message: str) -> None:
    if not condition:
        raise BadEnvelope(message)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
