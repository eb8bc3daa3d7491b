"""Which answers may be shown, and which must not look like data."""

import unittest
from datetime import datetime, timedelta, timezone

from support import Faulty, a_claim, answer, run_script, settings

import _envelope


def is_shown(*words: str, body: object, script: str = "price.py") -> bool:
    with Faulty(answer(200, body)) as service:
        run = run_script(script, *words, environment=settings(service.url))
    if run.code not in (0, 5):
        raise AssertionError(run.stdout)
    if run.code == 5 and "1466" in run.stdout:
        raise AssertionError(f"A refused figure was printed: {run.stdout}")
    return run.code == 0


class Claims(unittest.TestCase):
    def test_a_complete_claim_is_printed_as_it_came(self) -> None:
        claim = a_claim(name="贵州茅台", note={"zh": "未来字段"})
        with Faulty(answer(200, claim)) as service:
            run = run_script("price.py", "--code", "600519.SH", environment=settings(service.url))
        self.assertEqual((run.code, run.json), (0, {"ok": True, "claims": [claim]}))
        self.assertIn("贵州茅台", run.stdout)

    def test_what_is_asked_for_is_what_is_asked(self) -> None:
        day = a_claim()["as_of"]
        words = ["--code", "600519.SH", "--date", day, "--adjust", "qfq"]
        with Faulty(answer(200, a_claim())) as service:
            self.assertEqual(run_script("price.py", *words, environment=settings(service.url)).code, 0)
        compact = day.replace("-", "")
        self.assertEqual(service.seen[0]["path"], f"/price?code=600519.SH&trade_date={compact}&adjust=qfq")

    def test_any_flaw_of_a_claim_is_exit_5(self) -> None:
        future = datetime.now(timezone.utc) + timedelta(hours=2)
        flaws = [
            {"cite": ...}, {"cite": "tushare"}, {"cite__kind": "model"}, {"cite__source": ""}, {"cite__source": ...},
            {"cite__served_by": []}, {"cite__served_by": ""}, {"cite__served_by": [1]}, {"cite__served_version": ...},
            {"cite__fetched_at": "2026-11-19 10:00"}, {"cite__fetched_at": "2026-11-19T10:00:00"},
            {"cite__fetched_at": future.strftime("%Y-%m-%dT%H:%M:%SZ")}, {"cite__cache_age_seconds": -1},
            {"cite__cache_age_seconds": 1.5}, {"cite__cache_age_seconds": True}, {"cite__tool_call_id": ...},
            {"cite__tool_call_id": "tc_short"}, {"cite__tool_call_id": "tc_" + "x" * 65}, {"value": ...},
            {"value": "1466"}, {"value": True}, {"value": 1467}, {"value_text": "x"}, {"value_text": 1466},
            {"code": "000858.SZ"}, {"code": ...}, {"as_of": "2099-01-01"}, {"as_of": "yesterday"}, {"as_of": "2026-02-30"},
            {"as_of": ...}, {"unit": ...}, {"metric": ""},
        ]
        for flaw in flaws:
            with self.subTest(flaw), self.assertRaises(_envelope.BadEnvelope):
                _envelope.check_claim(a_claim(**flaw), "600519.SH")
        for flaw in ({"cite__tool_call_id": ...}, {"code": "000858.SZ"}):
            self.assertFalse(is_shown("--code", "600519.SH", body=a_claim(**flaw)))

    def test_infinity_is_no_value(self) -> None:
        with self.assertRaises(_envelope.BadEnvelope):
            _envelope.check_claim(a_claim(value=float("inf"), value_text=...))

    def test_an_answer_about_another_day_is_exit_5(self) -> None:
        self.assertFalse(is_shown("--code", "600519.SH", "--date", "20200102", body=a_claim()))

    def test_null_with_its_cite_is_an_answer(self) -> None:
        claim = a_claim(value=None, value_text=None, null_reason="loss")
        self.assertEqual(_envelope.check_claim(claim), claim)

    def test_both_forms_of_served_by_are_read(self) -> None:
        for served_by in (["tushare", "tdx"], "twilight-drive-backend"):
            _envelope.check_claim(a_claim(cite__served_by=served_by))

    def test_a_code_is_the_same_in_all_its_forms_and_no_other(self) -> None:
        for asked in ("600519", "SH600519", "sh.600519", "600519.sh", "600519.SS", " 600519.SH "):
            self.assertTrue(_envelope.same_code(asked, "600519.SH"), asked)
        self.assertTrue(_envelope.same_code("700.HK", "00700.HK"))
        for asked in ("600519.SZ", "600518", "60051", "AAPL", ""):
            self.assertFalse(_envelope.same_code(asked, "600519.SH"), asked)


class Lists(unittest.TestCase):
    def test_one_flawed_figure_spoils_the_fundamentals(self) -> None:
        other = {"cite__tool_call_id": "tc_01KAGN3V8QF4X2M7Z9W0T5RCDF"}
        good = {"code": "600519.SH", "claims": [a_claim(), a_claim(**other)]}
        self.assertTrue(is_shown("--code", "600519.SH", body=good, script="fundamentals.py"))
        for claims in ([], None, [a_claim(), a_claim(metric="open")], [a_claim(), a_claim(**other, code="000001.SZ")]):
            body = {"code": "600519.SH", "claims": claims}
            self.assertFalse(is_shown("--code", "600519.SH", body=body, script="fundamentals.py"))

    def test_search_results_need_their_cite_too(self) -> None:
        result = {"title": "t", "url": "https://a.example/", "snippet": "s", "cite": a_claim()["cite"]}
        self.assertTrue(is_shown("--query", "x", body={"results": [result]}, script="search.py"))
        self.assertTrue(is_shown("--query", "x", body={"results": []}, script="search.py"))
        del result["cite"]
        self.assertFalse(is_shown("--query", "x", body={"results": [result]}, script="search.py"))


if __name__ == "__main__":
    unittest.main()
