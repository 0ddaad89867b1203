"""Prints what a CTest run came to: failures, skipped tests with reasons, and one summary line last.

Usage: summary.py RESULTS, the file that `ctest --output-junit` wrote. Exit code 1 when a test failed
or when there was none.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree

# GoogleTest prints the reason in the lines between these two marks.
GTEST_SKIP = re.compile(r"^\S+:\d+: Skipped\n(.*?)\n\s*\n?\[  SKIPPED \]", re.MULTILINE | re.DOTALL)


def skip_reason(case):
    """The reason in the test's own output, else what CTest says."""
    found = GTEST_SKIP.search(case.findtext("system-out") or "")
    if found and found.group(1).strip():
        return " ".join(found.group(1).split())
    if case.get("status") == "disabled":
        return "disabled"
    return case.find("skipped").get("message") or "no reason given"


def outcome(case):
    """CTest lists tests that could not be started (no such program) as skipped; they have failed."""
    if case.get("status") == "run":
        return "passed"
    skipped = case.find("skipped")
    by_itself = skipped is not None and (skipped.get("message") or "").startswith("SKIP_")
    return "skipped" if by_itself or case.get("status") == "disabled" else "failed"


def main(path):
    try:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        print(f"no test results: {error}")
        return 1
    by_outcome = {"passed": [], "failed": [], "skipped": []}
    for case in cases:
        by_outcome[outcome(case)].append(case)
    for case in by_outcome["skipped"]:
        print(f"skipped: {case.get('name')}: {skip_reason(case)}")
    for case in by_outcome["failed"]:
        print(f"failed: {case.get('name')}")
    if not cases:
        print("no test was run")
    line = f"{len(by_outcome['passed'])} passed, {len(by_outcome['failed'])} failed"
    if by_outcome["skipped"]:
        line += f", {len(by_outcome['skipped'])} skipped"
    print(line)
    return 1 if by_outcome["failed"] or not cases else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
