"""Faults of the service and of the way to it, from a local server that has them."""

import time
import unittest
from email.utils import format_datetime
from datetime import datetime, timedelta, timezone
from typing import Any, List, Tuple

from support import TOKEN, Faulty, a_claim, answer, problem, run_script, settings, silence

import _client
import _config
import _failure

GOOD = answer(200, a_claim())


def ask(service: Faulty, timeout_s: float = 5) -> Tuple[Any, List[float]]:
    """The answer or the failure, and the waits that led to it, which are not waited for."""
    waits: List[float] = []
    config = _config.Config(service.url, TOKEN, timeout_s)
    try:
        return _client.get(config, "/price", {"code": "600519.SH"}, sleep=waits.append), waits
    except _failure.Failure as failure:
        return failure, waits


class Refusals(unittest.TestCase):
    def test_a_refusal_is_not_tried_again_and_keeps_its_code(self) -> None:
        for status, code, exit_code in [
            (400, "invalid_parameter", _failure.USAGE),
            (401, "invalid_token", _failure.AUTH),
            (403, "key_revoked", _failure.AUTH),
            (403, "subscription_expired", _failure.AUTH),
            (404, "suspended", _failure.NOT_AVAILABLE),
            (501, "not_implemented", _failure.NOT_AVAILABLE),
        ]:
            with self.subTest(code=code), Faulty(problem(status, code)) as service:
                failure, waits = ask(service)
                self.assertEqual((failure.exit_code, failure.code), (exit_code, code))
                self.assertEqual((len(service.seen), waits), (1, []))

    def test_a_refusal_without_a_problem_body_is_told_by_its_status(self) -> None:
        with Faulty(answer(403, b"<html>", content_type="text/html")) as service:
            failure, _ = ask(service)
        self.assertEqual((failure.exit_code, failure.code), (_failure.AUTH, "access_ended"))

    def test_a_redirect_is_not_followed_and_the_key_stays_here(self) -> None:
        with Faulty(GOOD) as elsewhere:
            for status in (301, 302, 303, 307, 308):
                there = {"Location": f"{elsewhere.url}/price"}
                with self.subTest(status=status), Faulty(answer(status, {}, there)) as service:
                    failure, _ = ask(service)
                    self.assertEqual((failure.exit_code, failure.code), (_failure.UPSTREAM, "redirected"))
            self.assertEqual(elsewhere.seen, [])


class Waiting(unittest.TestCase):
    def test_429_waits_as_long_as_it_is_told_and_a_little_more(self) -> None:
        with Faulty(problem(429, "rate_limited", Retry_After="7"), GOOD) as service:
            claim, waits = ask(service)
        self.assertEqual(claim["value_text"], "1466.00")
        self.assertEqual(len(waits), 1)
        self.assertTrue(7 <= waits[0] <= 8.4, waits)

    def test_429_understands_a_date(self) -> None:
        later = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=20), usegmt=True)
        with Faulty(problem(429, "rate_limited", Retry_After=later), GOOD) as service:
            _, waits = ask(service)
        self.assertTrue(18 <= waits[0] <= 24, waits)

    def test_429_without_a_time_or_with_nonsense_waits_five_seconds(self) -> None:
        for answered in (problem(429, "x"), problem(429, "x", Retry_After="soon")):
            with self.subTest(), Faulty(answered, GOOD) as service:
                _, waits = ask(service)
                self.assertTrue(5 <= waits[0] <= 6, waits)

    def test_429_four_times_gives_up_and_says_when_to_come_back(self) -> None:
        with Faulty(problem(429, "rate_limited", Retry_After="2")) as service:
            failure, waits = ask(service)
        self.assertEqual((failure.exit_code, failure.code), (_failure.RATE_LIMITED, "rate_limited"))
        self.assertEqual((len(service.seen), len(waits)), (4, 3))
        self.assertGreaterEqual(failure.retry_after, 2)

    def test_one_wait_is_at_most_60_seconds_and_all_together_90(self) -> None:
        with Faulty(problem(429, "rate_limited", Retry_After="100000")) as service:
            failure, waits = ask(service)
        self.assertEqual((waits, failure.code), ([60.0], "rate_limited"))

    def test_503_with_a_time_waits_like_429(self) -> None:
        with Faulty(problem(503, "source_unavailable", Retry_After="4"), GOOD) as service:
            claim, waits = ask(service)
        self.assertEqual(claim["code"], "600519.SH")
        self.assertTrue(4 <= waits[0] <= 4.8, waits)

    def test_a_fault_is_tried_again_after_one_and_three_seconds(self) -> None:
        for status in (500, 502, 503, 504):
            with self.subTest(status=status), Faulty(answer(status, b"")) as service:
                failure, waits = ask(service)
                self.assertEqual((failure.exit_code, waits), (_failure.UPSTREAM, [1.0, 3.0]))
                self.assertEqual(len(service.seen), 3)

    def test_503_then_200_is_an_answer(self) -> None:
        with Faulty(answer(503, b""), GOOD) as service:
            claim, waits = ask(service)
        self.assertEqual((claim["metric"], waits), ("close", [1.0]))

    def test_all_tries_of_a_call_carry_one_request_id_and_the_next_call_another(self) -> None:
        with Faulty(answer(500, b""), GOOD) as service:
            ask(service)
            ask(service)
        ids = [seen["headers"]["X-Request-Id"] for seen in service.seen]
        self.assertEqual(ids[0], ids[1])
        self.assertNotEqual(ids[1], ids[2])


class BrokenAnswers(unittest.TestCase):
    def test_silence_ends_with_the_timeout(self) -> None:
        started = time.monotonic()
        with Faulty(silence(1.0)) as service:
            failure, _ = ask(service, timeout_s=0.2)
        self.assertEqual(failure.exit_code, _failure.UPSTREAM)
        self.assertIn("no answer in time", failure.message)
        self.assertLess(time.monotonic() - started, 5)

    def test_an_answer_cut_short_is_tried_again(self) -> None:
        with Faulty(answer(200, b'{"value":', declared=500), GOOD) as service:
            claim, waits = ask(service)
        self.assertEqual((claim["value"], waits), (1466.0, [1.0]))

    def test_nobody_there_is_said_without_the_address(self) -> None:
        with Faulty(GOOD) as service:
            url = service.url
        waits: List[float] = []
        with self.assertRaises(_failure.Failure) as caught:
            _client.get(_config.Config(url, TOKEN, 1), "/price", sleep=waits.append)
        self.assertEqual((caught.exception.exit_code, waits), (_failure.UPSTREAM, [1.0, 3.0]))

    def test_what_is_not_the_json_of_an_answer_is_exit_5_and_shows_nothing(self) -> None:
        wild = {
            "no JSON": answer(200, b"1466.00"[:4] + b"x"),
            "HTML": answer(200, b"<b>1466</b>", content_type="text/html"),
            "NaN": answer(200, b'{"value": NaN}'),
            "not UTF-8": answer(200, b'{"name": "\xff"}'),
            "too deep": answer(200, b"[" * 100_000),
            "too large": answer(200, b" " * (2 * 1024 * 1024)),
            "a list": answer(200, []),
            "nothing": answer(200, b""),
        }
        for name, answered in wild.items():
            with self.subTest(name), Faulty(answered) as service:
                run = run_script("price.py", "--code", "600519.SH", environment=settings(service.url))
                self.assertEqual((run.code, run.json["error"]["code"]), (5, "bad_envelope"))
                self.assertNotIn("1466", run.stdout)


class Settings(unittest.TestCase):
    def test_a_missing_or_empty_setting_is_exit_2_with_its_name(self) -> None:
        for missing in ("TWILIGHT_SERVICE_URL", "TWILIGHT_API_TOKEN"):
            for value in (None, "", "  "):
                given = settings("http://127.0.0.1:1")
                del given[missing]
                if value is not None:
                    given[missing] = value
                run = run_script("price.py", "--code", "600519.SH", environment=given)
                self.assertEqual(run.code, 2)
                self.assertIn(missing, run.json["error"]["message"])

    def test_the_key_is_sent_over_https_or_within_the_house_only(self) -> None:
        for url in ("https://api.example.com/", "http://localhost:8701", "http://127.0.0.1", "http://[::1]:1",
                    "http://data-api:8701", "http://10.1.2.3", "http://box.internal"):
            with self.subTest(url):
                self.assertEqual(_config.read_config(settings(url)).url, url.rstrip("/"))
        for url in ("http://api.example.com", "ftp://localhost", "api.example.com", "https://", "http://8.8.8.8",
                    "https://u:p@example.com", "https://example.com?x=1", "https://example.com:port", "https://a b"):
            with self.subTest(url), self.assertRaises(_failure.Failure) as caught:
                _config.read_config(settings(url))
            self.assertEqual(caught.exception.exit_code, _failure.USAGE)

    def test_a_timeout_must_be_a_number_of_seconds(self) -> None:
        for text in ("0", "-1", "nan", "inf", "soon", "999"):
            with self.subTest(text), self.assertRaises(_failure.Failure):
                _config.read_config(settings("http://localhost", timeout=text))

    def test_wrong_words_are_exit_2_and_one_json_object(self) -> None:
        for words in (["price.py"], ["price.py", "--code", "贵州茅台"], ["price.py", "--code", "x", "--date", "today"],
                      ["fundamentals.py", "--code", "x", "--period", "20251331"],
                      ["search.py", "--query", "x", "--max-results", "11"],
                      ["verify.py", "--draft", "/nowhere"]):
            with self.subTest(words):
                run = run_script(*words, environment=settings("http://localhost"))
                self.assertEqual((run.code, run.json["ok"]), (2, False))


class Secrets(unittest.TestCase):
    def test_the_key_is_in_no_output_whatever_happens(self) -> None:
        answers = [GOOD, problem(401, "invalid_token"), problem(404, "no_data"), answer(200, a_claim(cite=...)),
                   answer(302, {}, {"Location": "http://localhost/"}), answer(418, b"?"), answer(200, b"{")]
        for answered in answers:
            with Faulty(answered) as service:
                run = run_script("price.py", "--code", "600519.SH", environment=settings(service.url))
                self.assertNotIn(TOKEN, run.stdout + run.stderr)
                self.assertEqual(len(run.stdout.strip().split("\n")), 1)
                self.assertEqual(service.seen[0]["headers"]["Authorization"], f"Bearer {TOKEN}")
                self.assertNotIn(TOKEN, service.seen[0]["path"])

    def test_the_settings_do_not_print_the_key(self) -> None:
        self.assertNotIn(TOKEN, repr(_config.read_config(settings("http://localhost"))))


if __name__ == "__main__":
    unittest.main()
