"""docs/reference.md is what the code says, and leaves nothing out."""

from __future__ import annotations

import ast
import inspect

from penstock.crawler import errors
from penstock.crawler.cli import EXIT_CODES
from penstock.crawler.policies import retry
from penstock.crawler.run_result import BUDGETS, BY_SIGNAL
from penstock.stages.http import failures
from tests.docs import reference
from tests.docs.reference import FAILED, SKIPPED, STOP_REASONS


def words(text: str) -> list[str]:
    """Python versions break the lines of a help text in different places."""
    return text.split()


def test_the_reference_is_what_the_code_says() -> None:
    written = reference.PAGE.read_text("utf-8")

    assert words(written) == words(reference.page()), "run `python -m tests.docs` and look at the difference"


def test_every_exit_code_of_an_error_is_in_the_reference() -> None:
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind)]
    codes = {kind.exit_code for kind in kinds if issubclass(kind, errors.PenstockError)}

    assert codes | set(BY_SIGNAL.values()) <= set(EXIT_CODES)


def test_every_stop_reason_is_in_the_reference() -> None:
    assert {*BUDGETS, *BY_SIGNAL} <= set(STOP_REASONS)


def test_every_reason_of_a_failed_request_is_in_the_reference() -> None:
    tree = ast.parse(inspect.getsource(failures))
    returned = {
        node.value
        for statement in ast.walk(tree)
        if isinstance(statement, ast.Return) and statement.value is not None
        for node in ast.walk(statement.value)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }

    assert returned | retry.RETRIED_REASONS | {retry.RETRY_AFTER_TOO_LONG} <= {*FAILED, *SKIPPED}
