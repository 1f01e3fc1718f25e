"""View: what the person at the terminal, or the program that reads along, is shown.

May touch: standard error, through `terminal` and `logs`.

One format for everything: with --log-format json each line on standard error is an
event, the closing figures and the progress too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from penstock.crawler.config import option_checks as checks
from penstock.crawler.config.crawl_config import flag_of
from penstock.crawler.errors import BadConfig
from penstock.crawler.output.terminal import write_stderr

PROGRESS = ("auto", "bar", "lines", "none")
FORMATS = (
    "console",
    "json",
)  # as `penstock.crawler.output.logs` has them; that is too slow to load for --help
LEVELS = ("debug", "info", "warning", "error")


class View(Struct, frozen=True, kw_only=True):
    """The options of `crawl` that change nothing in the crawl. Checked like `CrawlConfig`."""

    progress: str = "auto"
    quiet: bool = False  # only warnings and errors
    log_format: str = "console"
    log_level: str | None = None  # None: info, or warning if quiet

    def __post_init__(self) -> None:
        problems: list[str] = []
        for name, check in _CHECKS.items():
            try:
                check(flag_of(name), getattr(self, name))
            except BadConfig as problem:
                problems.append(str(problem))
        if problems:
            raise BadConfig("; ".join(problems))

    @property
    def level(self) -> str:
        return self.log_level or ("warning" if self.quiet else "info")

    @property
    def as_json(self) -> bool:
        return self.log_format == "json"

    def tell(self, lines: Sequence[str], event: str, facts: Mapping[str, object]) -> None:
        """Say `lines` to a person, or the same as one event to a program."""
        if self.quiet:
            return
        if self.as_json:
            from penstock.crawler.output.logs import get_logger

            get_logger().info(event, **facts)
        else:
            for line in lines:
                write_stderr(line)


VIEW_NAMES = View.__struct_fields__

_CHECKS: Mapping[str, checks.Check] = {
    "progress": checks.one_of(*PROGRESS),
    "quiet": checks.truth,
    "log_format": checks.one_of(*FORMATS),
    "log_level": checks.optional(checks.one_of(*LEVELS)),
}
