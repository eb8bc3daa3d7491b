"""The close of a stock, with its cite: price.py --code 600519.SH [--date 20260430]"""

import sys

from _arguments import code, day, parser
from _client import get, run
from _config import read_config
from _envelope import check_claim


def main() -> dict:
    arguments = parser(__doc__)
    arguments.add_argument("--code", type=code, required=True)
    arguments.add_argument("--date", type=day, help="a trading day; left out: the last one")
    arguments.add_argument("--adjust", choices=["none", "qfq", "hfq"], help="left out: none")
    asked = arguments.parse_args()
    answer = get(
        read_config(), "/price", {"code": asked.code, "trade_date": asked.date, "adjust": asked.adjust}
    )
    return {"claims": [check_claim(answer, asked.code, asked.date)]}


if __name__ == "__main__":
    sys.exit(run(main))
