"""Plan: what is wanted of each page besides its links, in a form that another process can read.

May touch: parts of the configuration; plugins, to find their names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, msgpack

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

    def to_wire(self) -> bytes:
        """The plan for a parser process; `field_extractor.from_wire` reads it there.

        Without plugins, if one of them is known to this process alone: then all of them run here.
        """
        from penstock.crawler.config.plugins import load_plugins

        loaded = load_plugins(self.plugins)
        names = [plugin.name for plugin in loaded] if all(plugin.importable for plugin in loaded) else []
        return msgpack.encode(
            WirePlan(
                rules=[rule.as_dict() for rule in self.rules],
                structured=self.structured,
                text=self.text,
                plugins=names,
                path=list(map(os.fsencode, sys.path)),
                resources=self.resources,
            )
        )


class WirePlan(Struct):
    """A plan as plain values."""

    rules: list[dict[str, Any]]
    structured: bool
    text: bool
    plugins: list[str]
    path: list[bytes]  # where this process imports from
    resources: bool


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
