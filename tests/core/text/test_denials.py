from __future__ import annotations

import time

import pytest

from cybersecqwen.core.text.denials import NOTHING_FOUND, split_denials, without_denials


@pytest.mark.parametrize(
    "text",
    [
        "No XSS was found; all inputs are encoded.",
        "The scan did not find any path traversal.",
        "The application is not vulnerable to SQL injection.",
        "SQL injection: not found.",
        "XSS: none",
        "Neither SQL injection nor cross-site scripting was found.",
        "Neither the API nor the web interface is vulnerable to CSRF.",
        "There is no evidence that the application suffers from SSRF.",
        "The XSS report turned out to be a false positive.",
        "The tester found no SQL injection, XSS or CSRF in the portal.",
        "We looked for SSRF in the webhook and found none.",
        "During the retest the stored XSS was no longer present.",
        "All attempts at SQL injection failed.",
        "The app was tested for XXE and is not vulnerable.",
        "Semgrep raised 0 findings for command injection.",
        "SAST: 0 issues. DAST: 0 issues.",
        "The reported XSS was retracted.",
        "The vendor disputes this: the heap overflow cannot be reached.",
        "Rejected as false positive: path traversal is prevented by realpath() checks.",
        "CSRF attacks are prevented by SameSite cookies and per-form tokens.",
        "A use-after-free was suspected in the audio service, but analysis ruled this out.",
        "A suspected SQL injection in the report page was investigated and dismissed.",
        "What looked like an integer overflow is harmless because sizes are capped at 64.",
    ],
)
def test_what_only_denies_reports_nothing(text: str) -> None:
    assert without_denials(text) == NOTHING_FOUND


@pytest.mark.parametrize(
    "text",
    [
        "No CSRF token was found in the password change form.",
        "The form has no XSS protection, and the name is echoed unencoded.",
        "No authentication is required to reach the admin interface.",
        "The plugin does not have authorisation and CSRF checks in an AJAX action.",
        "The plugin does not have CSRF in place when updating its settings.",
        "No patch is available for the buffer overflow in the HTTP server.",
        "The fix for the SQL injection was not found to be complete.",
        "The WAF does not detect SQL injection in JSON bodies.",
        "Exploitation of the buffer overflow has not been observed in the wild.",
        "The reported SQL injection in the cart was not fixed and remains exploitable.",
        "The product stores credentials in clear text. Version 3 is not affected.",
        "OpenSNS v6.1.0 contains a blind SQL injection vulnerability.",
        "A divide-by-zero vulnerability exists in the decoder.",
        "No one noticed the SQL injection in the report generator for years.",
        "The settings form is not properly protected against CSRF.",
        "None of the forms is protected against CSRF.",
        "We could not rule out SQL injection.",
        "The library is far from free of buffer overflows.",
        "Path traversal is prevented by a filter that can be bypassed with ....//",
        "The command injection cannot be fixed remotely and allows root access.",
        "A buffer overflow cannot be triggered remotely, but local users can crash the service.",
        "The use-after-free was dismissed by the vendor as low severity but allows code execution.",
    ],
)
def test_missing_protections_and_references_stay(text: str) -> None:
    assert without_denials(text) == text


def test_what_is_denied_goes_and_what_is_reported_stays() -> None:
    left = without_denials("SQL injection was found in the id parameter; no XSS was found.")
    assert left.startswith("SQL injection was found in the id parameter")
    assert "XSS" not in left
    left = without_denials("Although no SQL injection was found, ../ in the name reads any files.")
    assert "SQL" not in left
    assert "reads any files" in left


def test_what_was_left_out_is_told_in_the_words_of_the_text() -> None:
    left, denied = split_denials("SQL injection in id;\nno  XSS was found. There is no CSRF.")
    assert left.startswith("SQL injection in id;")
    assert denied == ("no XSS was found", "There is no CSRF")
    assert split_denials("It is not vulnerable.") == (NOTHING_FOUND, ("not vulnerable",))
    whole = "A crafted name overflows the stack buffer. Version 3 is not vulnerable."
    assert split_denials(whole) == (whole, ())


def test_a_report_behind_a_semicolon_is_kept() -> None:
    left = without_denials("No findings for XSS; the login accepts any password at all.")
    assert left.endswith("the login accepts any password at all.")


@pytest.mark.parametrize(
    "piece", ["xss ", "no xss and ", "xss, ", "neither a nor b ", "no a ", "attempts to "]
)
def test_no_text_takes_long(piece: str) -> None:
    sentence = f"X{(piece * 900)[:950]} is not found here. "
    for hostile in (f"{piece * 5_000} is not found here", sentence * 20):
        start = time.process_time()
        without_denials(hostile[:20_000])
        assert time.process_time() - start < 2
