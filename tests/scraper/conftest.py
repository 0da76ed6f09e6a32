"""Tables that tests leave as the property `table` are shown at the end of the run, whichever process made them."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the tests of real pages have found."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    tables = [
        str(text) for report in reports for name, text in getattr(report, "user_properties", ()) if name == "table"
    ]
    for text in sorted(set(tables)):
        terminalreporter.write_line("")
        terminalreporter.write_line(text)
