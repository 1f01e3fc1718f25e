"""Plugins: functions of the operator that read each page. What they see and what they may return.

May touch: the import system, to load one.

    from penstock import Follow, Page, Value

    def on_page(page: Page):
        for cell in page.css("td.price"):
            yield Value("price", float(cell.text))
        yield Follow("/next")

A plugin is called once for each HTML page of status 2xx. One that is given by name runs where the
page is read: on the event loop for an ordinary page, in a parser process for a heavy one or when
other cores help. So what it remembers between pages, each process remembers for itself.

A function object that no other process can import (a closure, a lambda, a function of the main
program) runs on the event loop for every page: heavy pages are first read by a parser process, which
proves that they fit into its limits, and then once more here. If one plugin is such a function, all
plugins run here, so that their findings keep their order. A thread would be another way, but what a
closure uses (an sqlite3 connection, an asyncio object) often belongs to one thread; and a copy of the
closure in another process (cloudpickle) would lose what it collects.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from penstock.crawler.config.option_checks import join_problems, quote_value
from penstock.crawler.errors import BadConfig, close_match
from penstock.crawler.extraction import Value
from penstock.crawler.messages import Link

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Element", "Follow", "Found", "Hook", "Page", "Plugin", "Value", "check_plugins", "load_plugin"]

ENTRY_POINTS = "penstock.plugins"  # the group in which installed packages announce theirs

_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*\Z")
_ENTRY_POINT = re.compile(r"[\w.-]+\Z")


class Element(Protocol):
    """One element of a page. Valid only while the plugin runs."""

    @property
    def tag(self) -> str: ...
    @property
    def text(self) -> str:
        """All text within, white space collapsed, a blank at line breaks and blocks; without scripts."""
        ...

    def attr(self, name: str) -> str | None: ...
    def css(self, selector: str) -> Sequence[Element]:
        """Elements within that match, in document order. Raises ValueError for a bad selector."""
        ...

    def first(self, selector: str) -> Element | None: ...


class Page(Protocol):
    """One HTML page of status 2xx. Valid only while the plugin runs."""

    @property
    def url(self) -> str: ...  # canonical
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]:
        """Of the response, by name in lower case; repeated ones joined by a comma. Not to be changed.

        Without Set-Cookie, where the operator's credentials were sent.
        """
        ...

    @property
    def html(self) -> str:
        """The source, decoded; bytes that are no text in the page's encoding are U+FFFD."""
        ...

    @property
    def title(self) -> str | None: ...
    @property
    def language(self) -> str | None: ...
    @property
    def links(self) -> Sequence[Link]: ...  # distinct by url
    @property
    def text(self) -> str:
        """The text that a reader sees, a line per block."""
        ...

    def css(self, selector: str) -> Sequence[Element]:
        """Elements that match, in document order. Raises ValueError for a bad selector."""
        ...

    def first(self, selector: str) -> Element | None: ...


@dataclass(frozen=True, slots=True)
class Follow:
    """A link that the page does not have as such. It is admitted like any other: scope, depth,
    robots.txt and the other rules hold for it."""

    url: str  # absolute, or relative to the page's base
    text: str = ""


Found = Value | Follow | Mapping[str, Any]
"""A mapping stands for its values by name; None is left out.

A value is text, a number or a truth value; dicts and lists (of what JSON knows) are stored as JSON
text, for SQLite's JSON functions: `json_extract(value, '$.price')`.
"""

Hook = Callable[[Page], Iterable[Found] | Found | None]


@dataclass(frozen=True, slots=True)
class Plugin:
    """A hook and its name in tables and logs."""

    name: str
    hook: Hook
    importable: bool  # false: no other process can import it


def check_plugins(flag: str, value: object) -> tuple[str | Hook, ...]:
    """Settle a list of plugins, by name or themselves. Nothing is imported yet. Raises BadConfig."""
    single = isinstance(value, str) or callable(value) or not isinstance(value, Iterable)
    items: Iterable[object] = (value,) if single else value  # type: ignore[assignment]
    settled: list[object] = []
    for item in items:  # not a dict's keys: an object with __eq__ may have no hash
        if not any(item is other or (isinstance(item, str) and item == other) for other in settled):
            settled.append(item)
    problems = [f"{flag}: {problem}" for item in settled if (problem := _problem(item))]
    if problems:
        raise BadConfig(join_problems(problems))
    return tuple(settled)  # type: ignore[arg-type]


def load_plugin(asked: str | Hook, *, flag: str = "--plugin") -> Plugin:
    """Import a plugin. Raises BadConfig, one line: unknown, not importable, or no plain function."""
    import inspect  # here and below: slow to load, and --help and parser processes need none of it

    name = name_of(asked)
    hook: Any = _imported(flag, asked) if isinstance(asked, str) else asked
    importable = isinstance(asked, str) or _leads_to(name, asked)
    if not callable(hook):
        raise BadConfig(f"{flag}: {quote_value(name)} is no function")
    called = hook if inspect.isroutine(hook) or isinstance(hook, partial) else type(hook).__call__
    if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
        raise BadConfig(f"{flag}: {quote_value(name)} is async; a plugin is a plain function")
    return Plugin(name, hook, importable)


def load_plugins(asked: Sequence[str | Hook]) -> list[Plugin]:
    """Import plugins, under the names of `names_of`. Raises BadConfig."""
    loaded = map(load_plugin, asked)
    return [replace(plugin, name=name) for plugin, name in zip(loaded, names_of(asked), strict=True)]


def names_of(asked: Sequence[str | Hook]) -> list[str]:
    """The names of plugins in tables and logs, each another: two lambdas of one function have the same."""
    found: list[str] = []
    for name in map(name_of, asked):
        same = sum(other == name or other.startswith(f"{name} (") for other in found)
        found.append(f"{name} ({same + 1})" if same else name)
    return found


def name_of(asked: str | Hook) -> str:
    """`module:function`, as --plugin takes it; for what has no name of its own, that of its parts."""
    if isinstance(asked, str):
        return asked
    if isinstance(asked, partial):
        return f"partial({name_of(asked.func)})"
    module, name = getattr(asked, "__module__", None), getattr(asked, "__qualname__", None)
    if isinstance(module, str) and isinstance(name, str):
        return f"{module}:{name}"
    return f"{type(asked).__module__}:{type(asked).__qualname__}()"


def _problem(item: object) -> str | None:
    if callable(item):
        return None
    if not isinstance(item, str):
        return f"must be module:function or a function, not {type(item).__name__}"
    if _PATH.match(item) or _ENTRY_POINT.match(item):
        return None
    return f"{quote_value(item)} must read module:function, or be the name of an installed plugin"


def _leads_to(name: str, hook: Hook) -> bool:
    """True if another process, which has not run this program, imports the same function by this name."""
    if name.startswith("__main__:") or not _PATH.match(name):
        return False
    module, _, path = name.partition(":")
    return _attribute(sys.modules.get(module), path) is hook and _is_found(module)


def _is_found(name: str) -> bool:
    """True if an import finds the file of this loaded module. A notebook, a test runner and many other
    programs load modules from files that no import finds."""
    loaded = getattr(sys.modules[name], "__file__", None)
    spec = None
    folders = None
    for end in [at for at, char in enumerate(f"{name}.") if char == "."]:
        try:
            found = (finder.find_spec(name[:end], folders, None) for finder in sys.meta_path)
            spec = next(filter(None, found), None)
        except Exception:  # a finder of somebody else
            return False
        if spec is None:
            return False
        folders = spec.submodule_search_locations
    return spec is not None and loaded is not None and spec.origin == loaded


def _imported(flag: str, name: str) -> object:
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # last, so that a file here hides no installed package
    module_name, colon, path = name.partition(":")
    try:
        if not colon:
            return _entry_point(flag, name).load()
        module = importlib.import_module(module_name)
    except BadConfig:
        raise
    except ModuleNotFoundError as error:
        if ".py:" in name or "/" in name:
            hint = "name the module as import does, without .py and folders"
        else:
            hint = "modules are found in the current folder and on PYTHONPATH"
        raise BadConfig(f"{flag}: {quote_value(name)} cannot be imported: {_line(error)}; {hint}") from error
    except (Exception, SystemExit) as error:  # a module may do anything when it is imported
        what = f"{type(error).__name__}: {_line(error)}"
        raise BadConfig(f"{flag}: {quote_value(name)} cannot be imported: {what}") from error
    found = _attribute(module, path)
    if found is None:
        hint = close_match(path, [known for known in vars(module) if not known.startswith("_")])
        raise BadConfig(f"{flag}: module {quote_value(module_name)} has no {quote_value(path)}{hint}")
    return found


def _entry_point(flag: str, name: str) -> EntryPoint:
    from importlib.metadata import entry_points

    known = entry_points(group=ENTRY_POINTS)
    if name in known.names:
        return known[name]
    installed = f"installed are {', '.join(sorted(known.names))}" if known.names else "none is installed"
    raise BadConfig(f"{flag}: no plugin is named {quote_value(name)} ({installed}); or give module:function")


def _attribute(holder: object, path: str) -> object:
    for name in path.split("."):
        holder = getattr(holder, name, None)
    return holder


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
