"""Web pages about a question, each with its cite: search.py --query TEXT [--since 20260401] [--max-results 5]"""

import sys

from _arguments import day, one_to_ten, parser
from _client import get, run
from _config import read_config
from _envelope import BadEnvelope, check_result


def main() -> dict:
    arguments = parser(__doc__)
    arguments.add_argument("--query", required=True)
    arguments.add_argument("--since", type=day, help="not older than this day")
    arguments.add_argument("--max-results", type=one_to_ten, default="5")
    asked = arguments.parse_args()
    answer = get(
        read_config(),
        "/search",
        {"query": asked.query, "since": asked.since, "max_results": asked.max_results},
    )
    results = answer.get("results") if isinstance(answer, dict) else None
    if not isinstance(results, list):
        raise BadEnvelope("The answer has no results")
    return {"results": [check_result(result) for result in results]}


if __name__ == "__main__":
    sys.exit(run(main))
