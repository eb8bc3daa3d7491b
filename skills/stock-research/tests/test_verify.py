"""Which drafts may be sent: the pure check, and the script around it."""

import unittest
from typing import Any, Dict, List, Tuple

from support import Faulty, a_claim, answer, problem, run_script, settings

from verify import verify

CLAIMS: Dict[str, Any] = {
    "tc_close001": a_claim(as_of="2026-11-19"),
    "tc_pettm001": a_claim(metric="pe_ttm", unit="x", value_text="24.3456"),
    "tc_revenue1": a_claim(metric="total_revenue", value_text="170899152276.34", as_of="2025-12-31"),
    "tc_growth01": a_claim(metric="or_yoy", unit="pct", value_text="-3.2451"),
    "tc_points01": a_claim(metric="margin_change", unit="pct_point", value_text="0.5"),
    "tc_stale001": a_claim(as_of="2026-11-18", stale=True),
    "tc_volume01": a_claim(metric="vol", unit="share_100", value_text="35012.5"),
    "tc_null0001": a_claim(metric="pe", unit="x", value=None, value_text=None),
    "tc_search01": {"title": "茅台拟分红 300 亿元", "snippet": "每股派发 23.957 元"},
}


def reasons(draft: str) -> List[str]:
    return [finding["reason"] for finding in verify(draft, CLAIMS)]


class Drafts(unittest.TestCase):
    def check(self, cases: List[Tuple[str, List[str]]]) -> None:
        for draft, expected in cases:
            with self.subTest(draft):
                self.assertEqual(reasons(draft), expected)

    def test_what_the_claims_say_passes(self) -> None:
        self.check([
            ("贵州茅台(600519.SH)2026年11月19日收盘价 1466.00 元[tc_close001]，市盈率 24.3 倍[tc_pettm001]。", []),
            ("收盘 １，４６６．００ 元[tc_close001]", []),
            ("收盘 14\u200b66 元[tc_close001]", []),
            ("2025年营收 1,708.99 亿元[tc_revenue1]", []),
            ("营收 1709 亿[tc_revenue1]", []),
            ("营收约 1700 亿元[tc_revenue1]", []),
            ("同比下降 3.25%[tc_growth01]", []),
            ("同比 −3.2451％[tc_growth01]", []),
            ("同比增长 -3.25%[tc_growth01]", []),
            ("毛利率提高 0.5 个百分点[tc_points01]，即 50bp[tc_points01]", []),
            ("成交 350.125 万股[tc_volume01]", []),
            ("成交 35012.5 手[tc_volume01]", []),
            ("1. 收盘 1466 元[tc_close001]\n2、市盈率 24.35[tc_pettm001]", []),
            ("11月18日收盘 1466 元[tc_stale001]", []),
            ("拟分红 300 亿元[tc_search01]，见 https://a.example/2026/300", []),
            ("收盘 1466 元、市盈率 24.3 倍[tc_close001][tc_pettm001]", []),
            ("没有数字的句子。", []),
        ])

    def test_what_they_do_not_say_is_found(self) -> None:
        self.check([
            ("收盘 1467 元[tc_close001]", ["value_mismatch"]),
            ("市盈率 24.4 倍[tc_pettm001]", ["value_mismatch"]),
            ("营收 1700 亿元[tc_revenue1]", ["value_mismatch"]),
            ("营收 1708.99 万元[tc_revenue1]", ["value_mismatch"]),
            ("市盈率 24 倍[tc_pettm001]", ["value_mismatch"]),
            ("同比 3.25%[tc_growth01]", ["value_mismatch"]),
            ("同比下降 -3.25%[tc_growth01]", ["value_mismatch"]),
            ("股价下跌 1466 元[tc_close001]", ["value_mismatch"]),
            ("同比下降 3.25 个百分点[tc_growth01]", ["unit_mismatch"]),
            ("毛利率提高 0.5%[tc_points01]", ["unit_mismatch"]),
            ("收盘 1466 美元[tc_close001]", ["unit_mismatch"]),
            ("持有 600519 股[tc_close001]", ["unit_mismatch"]),
            ("市盈率 1466[tc_close001]", ["wrong_metric"]),
            ("000858.SZ 收盘 1466 元[tc_close001]", ["value_mismatch", "wrong_code"]),
            ("市盈率 24.3 倍[tc_null0001]", ["value_mismatch"]),
            ("拟分红 301 亿元[tc_search01]", ["value_mismatch"]),
            ("收盘 1466 元[tc_stale001]", ["stale"]),
            ("20–25 倍[tc_pettm001]", ["value_mismatch", "value_mismatch"]),
        ])

    def test_a_number_without_a_claim_is_found(self) -> None:
        self.check([
            ("收盘 1466 元", ["no_marker"]),
            ("[tc_close001]收盘 1466 元", ["no_marker"]),
            ("收盘 1466 元。[tc_close001]", ["no_marker"]),
            ("2024年3月1日收盘价 1466 元[tc_close001]", ["value_mismatch"] * 3),
            ("收盘 1466 元[tc_unknown1]", ["unknown_id"]),
            ("涨了三成，利润翻番", ["write_digits", "write_digits"]),
        ])

    def test_every_draft_is_answered(self) -> None:
        wild = ["", "[tc_close001]", "9" * 5000, "1e999 元[tc_close001]", "1e-999[tc_close001]", "," * 1000, "-+-+1",
                "[tc_[tc_close001]]", "\x00", "1,2,3,4[tc_close001]", "٣٤ 元[tc_close001]", "𝟣𝟦𝟨𝟨 元[tc_close001]"]
        for draft in wild:
            with self.subTest(draft[:40]):
                self.assertIsInstance(verify(draft, CLAIMS), list)


class Script(unittest.TestCase):
    def test_the_recorded_claim_counts_and_is_fetched_by_its_id(self) -> None:
        record = a_claim()
        marker = record["cite"]["tool_call_id"]
        with Faulty(answer(200, record)) as service:
            good = run_script("verify.py", environment=settings(service.url), draft=f"收盘 1466.00 元[{marker}]")
            bad = run_script("verify.py", environment=settings(service.url), draft=f"收盘 1466.10 元[{marker}]")
        self.assertEqual((good.code, good.json["verdict"], good.json["claims"]), (0, "ok", 1))
        self.assertEqual((bad.code, bad.json["ok"], bad.json["verdict"]), (1, False, "repair"))
        self.assertEqual(service.seen[0]["path"], f"/claims/{marker}")

    def test_a_claim_of_somebody_else_covers_nothing(self) -> None:
        with Faulty(problem(404, "not_found")) as service:
            run = run_script("verify.py", environment=settings(service.url), draft="收盘 1466 元[tc_foreign01]")
        self.assertEqual((run.code, run.json["findings"]), (1, [{"span": "[tc_foreign01]", "reason": "unknown_id"}]))

    def test_when_it_cannot_check_it_does_not_pass(self) -> None:
        cases = [(problem(401, "invalid_token"), 3), (problem(501, "not_implemented"), 4), (answer(200, b"{"), 5)]
        for answered, code in cases:
            with Faulty(answered) as service:
                run = run_script("verify.py", environment=settings(service.url), draft="收盘 1466 元[tc_close001]")
            self.assertEqual((run.code, run.json["ok"]), (code, False))

    def test_another_claim_than_the_one_asked_for_is_refused(self) -> None:
        with Faulty(answer(200, a_claim())) as service:
            run = run_script("verify.py", environment=settings(service.url), draft="收盘 1466 元[tc_close001]")
        self.assertEqual(run.code, 5)


if __name__ == "__main__":
    unittest.main()
