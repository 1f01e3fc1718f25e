"""Plugs: the one rule by which fetch tiers, kinds of document and exports are found by name.

A plug is an object that was given to `Crawl`, a module in the plug's folder, or an entry point
of an installed package. The name of the file, of the entry point or of the key is the plug's
name. An object that was given wins; a module of ours wins over an entry point, so that an
installed package never replaces a built-in plug without being asked.

Nothing is imported before it is used: listing the names loads no plug, and a plug in its folder
is found without a look at the installed packages, which takes 20 ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module, util
from typing import TYPE_CHECKING

from msgspec import Struct

from penstock.crawler.errors import BadConfig, close_match

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Plugs(Struct, frozen=True):
    """One kind of plug."""

    what: str  # for messages: "fetch tier", "export format"
    package: str  # whose modules are the built-in plugs, such as "penstock.storage.exports"
    group: str  # of the entry points, such as "penstock.exports"

    def names(self, given: Mapping[str, object] | None = None) -> list[str]:
        """The names of all plugs, sorted."""
        return sorted({*self.built_in(), *self.installed(), *(given or ())})

    def built_in(self) -> list[str]:
        """The names of the modules in the plug's folder, sorted."""
        import pkgutil

        spec = util.find_spec(self.package)
        folders = (spec.submodule_search_locations if spec is not None else None) or ()
        return sorted(module.name for module in pkgutil.iter_modules(list(folders)) if not module.ispkg)

    def installed(self) -> dict[str, str]:
        """The names that installed packages offer, each with the `module:object` of its plug."""
        return {point.name: point.value for point in _entry_points(self.group)}

    def load(self, name: str, given: Mapping[str, object] | None = None) -> object:
        """The plug of this name: a given object, a module, or what an entry point names.

        Raises BadConfig if there is none, or if the package that offers it cannot be imported.
        A module of ours may raise what it raises for a library that is not installed.
        """
        if given and name in given:
            return given[name]
        if self._is_built_in(name):
            return import_module(f"{self.package}.{name}")
        for point in _entry_points(self.group):
            if point.name != name:
                continue
            try:
                return point.load()
            except (Exception, SystemExit) as error:  # a script imported as a module may call sys.exit
                package = point.dist.name if point.dist is not None else point.value
                what = f"{type(error).__name__}: {error}"
                raise BadConfig(f"{self.what} {name!r} of {package} cannot be loaded: {what}") from error
        known = self.names(given)
        raise BadConfig(
            f"unknown {self.what} {name!r}{close_match(name, known)}; known are {', '.join(known)}"
        )

    def _is_built_in(self, name: str) -> bool:
        if not name.isidentifier():
            return False
        spec = util.find_spec(f"{self.package}.{name}")
        return spec is not None and spec.submodule_search_locations is None


def _entry_points(group: str) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points

    return entry_points(group=group)


def given_plugs(keyword: str, plugs: Mapping[str, object] | None) -> Mapping[str, object]:
    """Copy the plugs given to `Crawl`, by name. Raises BadConfig if it is no mapping from str."""
    if plugs is None:
        return {}
    if not isinstance(plugs, Mapping) or not all(isinstance(name, str) and name for name in plugs):
        raise BadConfig(f"{keyword}: must map names to objects, such as {{'name': object}}")
    return dict(plugs)
