"""Numbers in a Chinese or English sentence: where they stand, what they mean, and whether a claim covers them."""

from __future__ import annotations

import re
import unicodedata
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

# What a unit counts, and the power of ten it counts in: the closed list of the service.
UNITS: Dict[str, Tuple[str, int]] = {
    "CNY": ("CNY", 0),
    "CNY_1K": ("CNY", 3),
    "CNY_10K": ("CNY", 4),
    "CNY_100M": ("CNY", 8),
    "USD": ("USD", 0),
    "USD_10K": ("USD", 4),
    "USD_100M": ("USD", 8),
    "HKD": ("HKD", 0),
    "HKD_10K": ("HKD", 4),
    "HKD_100M": ("HKD", 8),
    "share": ("share", 0),
    "share_100": ("share", 2),
    "share_10K": ("share", 4),
    "share_100M": ("share", 8),
    "ratio": ("ratio", 0),
    "pct": ("ratio", -2),
    "pct_point": ("pct_point", 0),
    "x": ("x", 0),
    "point": ("point", 0),
    "count": ("count", 0),
    "day": ("day", 0),
}

# How texts write them. None: the suffix scales and does not say what is counted.
SUFFIXES: List[Tuple[str, Optional[Tuple[str, ...]], int]] = [
    ("个百分点", ("pct_point",), 0),
    ("bp", ("pct_point",), -2),
    ("%", ("ratio",), -2),
    ("倍", ("x", "ratio"), 0),
    ("美元", ("USD",), 0),
    ("港元", ("HKD",), 0),
    ("元", ("CNY",), 0),
    ("块", ("CNY",), 0),
    ("手", ("share",), 2),
    ("股", ("share",), 0),
    ("点", ("point",), 0),
    ("天", ("day",), 0),
    ("x", ("x",), 0),
]
SCALES = {"万亿": 12, "千亿": 11, "百亿": 10, "亿": 8, "千万": 7, "百万": 6, "万": 4, "K": 3, "M": 6, "B": 9}

MARKER = re.compile(r"\[(tc_[A-Za-z0-9_-]{8,64})\]")
_SCALE = "|".join(sorted(SCALES, key=len, reverse=True))
_SUFFIX = "|".join(re.escape(word) for word, _, _ in SUFFIXES)
NUMBER = re.compile(
    # A dash after a digit is a range, not a minus.
    r"(?P<sign>(?<![\d%])[+-]|正|负)?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?P<exponent>[eE][+-]?\d{1,3})?"
    rf"\s?(?P<scale>{_SCALE})?\s?(?P<suffix>{_SUFFIX})?",
    re.ASCII,
)
# Spelled out, a number cannot be checked: it has to be written in digits.
SPELLED = re.compile(
    r"[一二两三四五六七八九十半][一二两三四五六七八九十百千万亿零]*(?:点[一二三四五六七八九零]+)?(?:成|倍|元|块|万|亿|股|手|个百分点)"
    r"|百分之[一二三四五六七八九十百零点]+|翻番|翻倍|腰斩"
)
FALLING = re.compile(r"下跌|下降|下滑|减少|亏损|跌|降|负|缩水|回落")
RISING = re.compile(r"上涨|上升|增长|增加|涨|升")
ROUGHLY = re.compile(r"约|大约|接近|左右|上下|近")
_DASHES = str.maketrans({c: "-" for c in "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"})
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")


class Number(NamedTuple):
    start: int
    end: int
    text: str
    value: Decimal
    # Digits after the point, in the unit shown.
    decimals: int
    significant: int
    kinds: Optional[Tuple[str, ...]]
    exponent: int


def normalise(text: str) -> str:
    """Full-width digits, fancy minus signs and invisible characters as one plain form."""
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_DASHES)


def read_number(match: "re.Match[str]") -> Optional[Number]:
    try:
        digits = match["digits"].replace(",", "")
        value = Decimal(digits + (match["exponent"] or ""))
    except InvalidOperation:
        return None
    if match["sign"] in ("-", "负"):
        value = -value
    kinds, exponent = None, SCALES.get(match["scale"] or "", 0)
    for word, counted, power in SUFFIXES:
        if word == match["suffix"]:
            kinds, exponent = counted, exponent + power
    decimals = max(0, -int(value.as_tuple().exponent))
    significant = len(digits.replace(".", "").lstrip("0"))
    text = match.group().strip()
    return Number(match.start(), match.start() + len(text), text, value, decimals, significant, kinds, exponent)


def matches(number: Number, claim: Any, before: str, after: str) -> Optional[str]:
    """None when the claim covers the number, else the reason why not."""
    text = claim.get("value_text")
    unit = UNITS.get(str(claim.get("unit")))
    if not isinstance(text, str) or unit is None:
        return "value_mismatch"
    kind, power = unit
    if number.kinds is not None and kind not in number.kinds:
        return "unit_mismatch"
    # A bare number may stand for money, a multiple or a level, never for a percentage.
    if number.kinds is None and kind in ("ratio", "pct_point") and claim.get("unit") != "ratio":
        return "unit_mismatch"
    # Without a scale or a unit in the text, the figure is shown as the claim has it.
    shown_power = power if number.kinds is None and number.exponent == 0 else number.exponent
    try:
        return _compare(number, Decimal(text).scaleb(power - shown_power), before, after)
    except InvalidOperation:
        # No number, or one with more digits than any figure has.
        return "value_mismatch"


def _compare(number: Number, exact: Decimal, before: str, after: str) -> Optional[str]:
    shown = number.value
    falling, rising = bool(FALLING.search(before)), bool(RISING.search(before))
    # "下降 3.2%" says -3.2, and so does "增长 -3.2%"; "下降 -3.2%" says neither.
    if re.search(r"(下跌|下降|下滑|减少|跌|降)\s*$", before) and (exact > 0 or shown < 0):
        return "value_mismatch"
    if falling and not rising and shown > 0 > exact:
        shown = -shown
    step = Decimal(1).scaleb(-number.decimals)
    rounded = {exact.quantize(step, mode) for mode in (ROUND_HALF_UP, ROUND_HALF_EVEN)}
    roughly = bool(ROUGHLY.search(before[-3:]) or ROUGHLY.match(after))
    if shown in rounded and (number.significant >= _needed_digits(exact, roughly) or shown == exact):
        return None
    if roughly and _round_to(exact, 2) == shown:
        return None
    return "value_mismatch"


def _needed_digits(exact: Decimal, roughly: bool) -> int:
    digits = len(str(abs(exact).normalize()).split("E")[0].replace(".", "").lstrip("0"))
    return min(2 if roughly else 3, max(1, digits))


def _round_to(value: Decimal, significant: int) -> Decimal:
    if value == 0:
        return value
    return value.quantize(Decimal(1).scaleb(value.adjusted() - significant + 1), ROUND_HALF_UP)
