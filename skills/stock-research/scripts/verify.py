"""Checks a draft before it is sent: every number needs the marker of a claim that says the same.

    verify.py --draft draft.txt          (or the draft on standard input)

The claims are fetched from the service by the ids in the draft: what the service recorded counts, not
what a conversation remembers. Exit code 0: all numbers hold. 1: repair what "findings" lists.
"""

import re
import sys
from typing import Any, Dict, List, Optional

from _arguments import parser
from _client import get, run
from _config import Config, read_config
from _envelope import BadEnvelope, check_claim, check_result
from _failure import NOT_AVAILABLE, OK, USAGE, Failure
from _numerals import MARKER, NUMBER, SPELLED, Number, matches, normalise, read_number

MAX_DRAFT_CHARACTERS = 20_000
MAX_CLAIMS = 60
NEEDS_REPAIR = 1

# Six digits that are a stock and no amount: the one named last is the one spoken of.
NAMED_CODE = re.compile(r"(?<![\d.])(\d{6})(?:\.(?:SH|SZ|BJ))?(?!\d)(?!\s*[股元手万亿%倍.])")

# Words before a number and the metrics they may stand for; a number after other words is not judged by them.
METRIC_WORDS = [
    (r"收盘价|收盘|股价|现价|报收", {"close"}),
    (r"开盘价", {"open"}),
    (r"最高价", {"high"}),
    (r"最低价", {"low"}),
    (r"市盈率|P/?E|PE", {"pe", "pe_ttm"}),
    (r"市净率|P/?B|PB", {"pb"}),
    (r"市销率|P/?S|PS", {"ps", "ps_ttm"}),
    (r"总市值", {"total_mv"}),
    (r"流通市值", {"circ_mv"}),
    (r"换手率", {"turnover_rate", "turnover_rate_f"}),
    (r"股息率", {"dv_ratio", "dv_ttm"}),
]


def verify(draft: str, claims: Dict[str, Any]) -> List[Dict[str, str]]:
    """What is wrong with the draft; an empty list means that every number holds."""
    text = normalise(draft)
    findings = [
        {"span": match.group(), "reason": "write_digits"} for match in SPELLED.finditer(_without_markers(text))
    ]
    for clause in re.split(r"[。;!?\n]", text):
        findings += _verify_clause(clause, claims)
    return findings


def _verify_clause(clause: str, claims: Dict[str, Any]) -> List[Dict[str, str]]:
    findings: List[Dict[str, str]] = []
    groups = _marker_groups(clause)
    for group in groups:
        findings += [
            {"span": f"[{name}]", "reason": "unknown_id"} for name in group["ids"] if name not in claims
        ]
    previous_end = 0
    masked = _mask_exempt(clause, claims)
    for match in NUMBER.finditer(masked):
        number = read_number(match)
        group = next((one for one in groups if one["start"] >= match.start()), None)
        if number is None or group is None:
            findings.append({"span": match.group().strip(), "reason": "no_marker"})
            continue
        before = clause[previous_end : number.start]
        reason = _cover(number, [claims[name] for name in group["ids"] if name in claims], clause, before)
        if reason and any(name in claims for name in group["ids"]):
            findings.append({"span": number.text, "reason": reason})
        previous_end = number.end
    return findings


def _cover(number: Number, candidates: List[Any], clause: str, before: str) -> Optional[str]:
    """None when one of the claims covers the number; else the reason that came closest."""
    reasons = ["value_mismatch"]
    for claim in candidates:
        if "metric" not in claim:
            if number.text in normalise(f"{claim['title']} {claim['snippet']}"):
                return None
            continue
        reason = matches(number, claim, before, clause[number.end : number.end + 3])
        reason = reason or _wrong_context(claim, before, clause[: number.start], clause)
        if reason is None:
            return None
        reasons.append(reason)
    order = ["wrong_metric", "wrong_code", "stale", "unit_mismatch", "value_mismatch"]
    return min(reasons, key=order.index)


def _wrong_context(claim: Any, before: str, upto: str, clause: str) -> Optional[str]:
    words = [(m.start(), metrics) for words, metrics in METRIC_WORDS for m in re.finditer(words, before)]
    if words and claim["metric"] not in max(words, key=lambda word: word[0])[1]:
        return "wrong_metric"
    named = NAMED_CODE.findall(upto)
    if named and named[-1] not in claim["code"]:
        return "wrong_code"
    # What is known to be old must say of which day it is.
    if claim.get("stale") and not any(form in clause for form in _forms_of(claim["as_of"])):
        return "stale"
    return None


def _marker_groups(clause: str) -> List[Dict[str, Any]]:
    """Markers that follow each other directly count as one."""
    groups: List[Dict[str, Any]] = []
    for match in MARKER.finditer(clause):
        if groups and clause[groups[-1]["end"] : match.start()].strip() == "":
            groups[-1]["ids"].append(match.group(1))
            groups[-1]["end"] = match.end()
        else:
            groups.append({"start": match.start(), "end": match.end(), "ids": [match.group(1)]})
    return groups


def _mask_exempt(clause: str, claims: Dict[str, Any]) -> str:
    """The clause with everything blanked that is no figure: markers, links, list numbers, codes, known dates."""
    texts = [MARKER.pattern, r"https?://\S+", r"^\s*\d{1,2}[.、)](?!\d)"]
    for claim in claims.values():
        if "metric" not in claim:
            continue
        for code in claim["code"].split(","):
            bare = code.split(".")[0]
            texts.append(rf"(?<![\d.]){re.escape(bare)}(?:\.[A-Z]{{2}})?(?!\d)(?!\s*[股元手万亿%倍])")
        dates = _forms_of(claim["as_of"]) + _forms_of(str(claim.get("period", "")))
        texts += [rf"(?<!\d){re.escape(form)}(?!\d)" for form in dates]
    blanked = clause
    for text in texts:
        blanked = re.sub(text, lambda match: " " * len(match.group()), blanked)
    return blanked


def _forms_of(date: str) -> List[str]:
    """How a text may write a date, the longest form first."""
    match = re.fullmatch(r"(\d{4})-?(\d\d)-?(\d\d)", date)
    if not match:
        return [date] if date else []
    year, month, day = match.groups()
    m, d = int(month), int(day)
    quarter = {(3, 31): "1", (6, 30): "2", (9, 30): "3", (12, 31): "4"}.get((m, d))
    forms = [f"{year}-{month}-{day}", f"{year}{month}{day}", f"{year}年{m}月{d}日", f"{year}/{m}/{d}", f"{m}月{d}日"]
    forms += [f"{year}年{month}月{day}日", f"{month}月{day}日"]
    if quarter:
        forms += [f"{year}Q{quarter}", f"{year}年第{quarter}季度"]
        # Only a closed year may be called by its number alone.
        forms += [f"{year}年"] if quarter == "4" else []
    return forms


def _without_markers(text: str) -> str:
    return MARKER.sub("", text)


def fetch_claims(config: Config, ids: List[str]) -> Dict[str, Any]:
    claims: Dict[str, Any] = {}
    for call_id in ids:
        try:
            record = get(config, f"/claims/{call_id}")
        except Failure as failure:
            # Not there, or another user's: either way it covers nothing.
            if failure.exit_code == NOT_AVAILABLE and failure.code != "not_implemented":
                continue
            raise
        has_metric = isinstance(record, dict) and "metric" in record
        checked = check_claim(record) if has_metric else check_result(record)
        if checked["cite"]["tool_call_id"] != call_id:
            raise BadEnvelope("The service answered with another claim than the one asked for")
        claims[call_id] = checked
    return claims


def read_draft(path: Optional[str]) -> str:
    try:
        if path is None:
            text = sys.stdin.buffer.read(MAX_DRAFT_CHARACTERS * 4 + 1).decode("utf-8")
        else:
            with open(path, encoding="utf-8") as file:
                text = file.read(MAX_DRAFT_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError) as problem:
        raise Failure(USAGE, "usage", f"The draft cannot be read: {type(problem).__name__}.") from None
    if len(text) > MAX_DRAFT_CHARACTERS:
        raise Failure(USAGE, "usage", f"The draft is longer than {MAX_DRAFT_CHARACTERS} characters.")
    return text


def main() -> Dict[str, Any]:
    arguments = parser(__doc__ or "")
    arguments.add_argument("--draft", help="file with the draft; left out: standard input")
    asked = arguments.parse_args()
    draft = read_draft(asked.draft)
    ids = list(dict.fromkeys(MARKER.findall(normalise(draft))))
    if len(ids) > MAX_CLAIMS:
        raise Failure(USAGE, "usage", f"The draft cites more than {MAX_CLAIMS} claims.")
    claims = fetch_claims(read_config(), ids) if ids else {}
    findings = verify(draft, claims)
    return {"verdict": "repair" if findings else "ok", "claims": len(claims), "findings": findings}


if __name__ == "__main__":
    sys.exit(run(main, lambda result: NEEDS_REPAIR if result["findings"] else OK))
