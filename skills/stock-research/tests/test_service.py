"""The scripts against a running service: TWILIGHT_SERVICE_URL and TWILIGHT_API_TOKEN say where it is."""

import os
import unittest

from support import Run, run_script, settings

URL = os.environ.get("TWILIGHT_SERVICE_URL", "")
KEY = os.environ.get("TWILIGHT_API_TOKEN", "")


def ask(name: str, *words: str, key: str = KEY, draft: str = "") -> Run:
    return run_script(name, *words, environment=settings(URL, key, "20"), draft=draft)


@unittest.skipUnless(URL and KEY, "TWILIGHT_SERVICE_URL and TWILIGHT_API_TOKEN name no running service")
class RunningService(unittest.TestCase):
    def test_a_name_becomes_a_code(self) -> None:
        for name in ("贵州茅台", "600519", "sh600519", "GZMT"):
            run = ask("resolve.py", "--name", name)
            self.assertEqual((run.code, run.json["resolved"]["code"]), (0, "600519.SH"), run.stdout)

    def test_a_price_comes_with_its_cite(self) -> None:
        run = ask("price.py", "--code", "600519.SH")
        self.assertEqual(run.code, 0, run.stdout)
        (claim,) = run.json["claims"]
        self.assertEqual((claim["metric"], claim["code"], claim["unit"]), ("close", "600519.SH", "CNY"))
        self.assertEqual((claim["cite"]["source"], claim["cite"]["served_by"]), ("tushare", ["tushare"]))

    def test_a_day_that_is_asked_for_is_the_day_that_is_answered(self) -> None:
        latest = ask("price.py", "--code", "600519").json["claims"][0]
        run = ask("price.py", "--code", "600519", "--date", latest["as_of"])
        self.assertEqual((run.code, run.json["claims"][0]["value_text"]), (0, latest["value_text"]), run.stdout)

    def test_fundamentals_come_with_a_cite_each(self) -> None:
        run = ask("fundamentals.py", "--code", "600519.SH")
        self.assertEqual(run.code, 0, run.stdout)
        metrics = {claim["metric"] for claim in run.json["claims"]}
        self.assertGreaterEqual(metrics, {"pe_ttm", "pb", "total_mv"})
        self.assertGreater(len(metrics), 10)

    def test_what_does_not_exist_is_exit_4_with_its_reason(self) -> None:
        unknown = ask("price.py", "--code", "999999.SH")
        self.assertEqual((unknown.code, unknown.json["error"]["code"]), (4, "unknown_code"), unknown.stdout)
        holiday = ask("price.py", "--code", "600519.SH", "--date", "20261001")
        self.assertEqual((holiday.code, holiday.json["error"]["code"]), (4, "not_trading_day"), holiday.stdout)

    def test_what_is_not_built_yet_is_exit_4(self) -> None:
        run = ask("search.py", "--query", "茅台 分红")
        self.assertEqual((run.code, run.json["error"]["code"]), (4, "not_implemented"), run.stdout)

    def test_a_key_that_is_none_is_exit_3(self) -> None:
        run = ask("price.py", "--code", "600519.SH", key="td_wrong")
        self.assertEqual((run.code, run.json["error"]["code"]), (3, "invalid_token"), run.stdout)

    def test_a_draft_of_served_figures_passes_and_a_changed_digit_does_not(self) -> None:
        (claim,) = ask("price.py", "--code", "600519.SH").json["claims"]
        marker = f"[{claim['cite']['tool_call_id']}]"
        draft = f"600519.SH {claim['as_of']} 收盘价 {claim['value_text']} 元{marker}。"
        good = ask("verify.py", draft=draft)
        self.assertEqual((good.code, good.json["verdict"]), (0, "ok"), good.stdout)
        wrong = ask("verify.py", draft=draft.replace(claim["value_text"], f"{claim['value'] + 1:.2f}"))
        self.assertEqual((wrong.code, wrong.json["findings"][0]["reason"]), (1, "value_mismatch"), wrong.stdout)
        invented = ask("verify.py", draft=draft.replace(marker, "[tc_01KAGN3V8QF4X2M7Z9W0T5RCDE]"))
        self.assertEqual((invented.code, invented.json["findings"][0]["reason"]), (1, "unknown_id"))

    def test_ratios_of_the_day_pass_in_their_own_unit(self) -> None:
        claims = {claim["metric"]: claim for claim in ask("fundamentals.py", "--code", "600519.SH").json["claims"]}
        ratio = claims["pe_ttm"]
        text = f"市盈率 {ratio['value']:.1f} 倍[{ratio['cite']['tool_call_id']}]。"
        self.assertEqual(ask("verify.py", draft=text).code, 0)
        percent = text.replace("倍", "%")
        self.assertEqual(ask("verify.py", draft=percent).json["findings"][0]["reason"], "unit_mismatch")


if __name__ == "__main__":
    unittest.main()
