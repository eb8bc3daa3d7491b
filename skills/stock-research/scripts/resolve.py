"""The code of a stock by its name, pinyin initials or any form of its code: resolve.py --name 贵州茅台"""

import sys

from _arguments import parser
from _client import get, run
from _config import read_config
from _envelope import BadEnvelope


def main() -> dict:
    arguments = parser(__doc__)
    arguments.add_argument("--name", required=True)
    asked = arguments.parse_args()
    answer = get(read_config(), "/resolve", {"q": asked.name})
    # Nothing here is a figure: the answer is passed on as it is, but it must be one.
    if not isinstance(answer, dict) or "error" in answer:
        raise BadEnvelope("The answer is not an object")
    return {"resolved": answer}


if __name__ == "__main__":
    sys.exit(run(main))
