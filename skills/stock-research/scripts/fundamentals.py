"""Figures of a company, each with its cite: fundamentals.py --code 600519.SH [--period 20251231]"""

import sys

from _arguments import code, day, parser
from _client import get, run
from _config import read_config
from _envelope import check_claims


def main() -> dict:
    arguments = parser(__doc__)
    arguments.add_argument("--code", type=code, required=True)
    arguments.add_argument("--period", type=day, help="the end of a reporting period; left out: the newest")
    arguments.add_argument("--as-known", type=day, help="what was known on that day")
    asked = arguments.parse_args()
    answer = get(
        read_config(),
        "/fundamentals",
        {"code": asked.code, "period": asked.period, "as_known": asked.as_known},
    )
    claims = answer.get("claims") if isinstance(answer, dict) else None
    return {"claims": check_claims(claims, asked.code)}


if __name__ == "__main__":
    sys.exit(run(main))
