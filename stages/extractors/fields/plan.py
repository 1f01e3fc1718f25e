"""Plan: what is wanted of each page besides its links, in words that another process understands.

May touch: the configuration's parts; plugins, to find their names.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from penstock.crawler.config.crawl_config import CrawlConfig
    from penstock.crawler.config.plugins import Hook
    from penstock.crawler.config.select_rules import SelectRule


class Plan(Struct, frozen=True, kw_only=True):
    """What is wanted of each page."""

    rules: Sequence[SelectRule] = ()
    structured: bool = False
    text: bool = False
    plugins: Sequence[str | Hook] = ()
    resources: bool = False

    def wire(self) -> tuple[Any, ...]:
        """The plan as plain values, for another process; `field_extractor.from_wire` reads it there."""
        from penstock.crawler.config.plugins import load

        importable = [(plugin.name, plugin.importable) for plugin in map(load, self.plugins)]
        rules = [rule.as_dict() for rule in self.rules]
        return rules, self.structured, self.text, importable, sys.path, self.resources


def plan_of(config: CrawlConfig) -> Plan | None:
    """What a configuration wants of each page; None for nothing."""
    plan = Plan(
        rules=config.select_rules,
        structured=config.structured,
        text=config.search,
        plugins=config.plugins,
        resources=config.resources,
    )
    return None if plan == Plan() else plan
