"""Form: what a browser would send of a log-in form, and whether a page shows that one is logged in.

May touch: selectolax, urls, the CSS of `select`.
Never: show the value of a field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from selectolax.lexbor import LexborHTMLParser, LexborNode

from penstock.crawler.config.option_checks import quote_value
from penstock.crawler.config.session_file import SessionPlan
from penstock.crawler.errors import BadConfig
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import is_http, resolve
from penstock.stages.extractors.fields.select import check_selector

_BUTTONS = ("submit", "image", "button", "reset")


class FilledForm(NamedTuple):
    """A form that is ready to be sent with POST."""

    action: CanonicalUrl
    data: bytes  # application/x-www-form-urlencoded

    def __repr__(self) -> str:
        return f"FilledForm({self.action})"


def check_selectors(plan: SessionPlan, path: str) -> None:
    """Raises BadConfig if a selector of a session file is none."""
    for key, css in (("check", plan.check), ("form", plan.form)):
        try:
            if css is not None:
                check_selector(css)
        except ValueError as problem:
            raise BadConfig(f"--session {path}: {key}: {problem}") from None


def has_check(plan: SessionPlan, body: bytes) -> bool:
    """True if the page shows that the session holds."""
    return LexborHTMLParser(body).css_first(plan.check) is not None


def fill_form(plan: SessionPlan, body: bytes, url: CanonicalUrl) -> FilledForm:
    """Return the log-in form of the page at `url`, its hidden fields kept and the plan's fields filled in.

    Raises ValueError, one line, if there is no such form.
    """
    tree = LexborHTMLParser(body)
    form = _find(tree, plan)
    if (form.attributes.get("method") or "get").strip().lower() != "post":
        raise ValueError("its form is sent with GET, which would put the password into a URL")
    base = tree.css_first("base[href]")
    base_url = resolve(url, (base.attributes.get("href") or "") if base is not None else "") or url
    action = resolve(base_url if form.attributes.get("action") else url, form.attributes.get("action") or "")
    if action is None or not is_http(action):
        raise ValueError("the action of its form is no URL")
    values = {**_values(form), **plan.fields}
    return FilledForm(CanonicalUrl(action), urlencode(values).encode())


def _find(tree: LexborHTMLParser, plan: SessionPlan) -> LexborNode:
    forms = tree.css(plan.form or "form")
    if not forms:
        raise ValueError(f"no form {quote_value(plan.form) + ' ' if plan.form else ''}on the page")
    for form in forms:
        if plan.fields.keys() <= _names(form):
            return form
    missing = sorted(plan.fields.keys() - _names(forms[0]))
    raise ValueError(f"no form on the page has the field {quote_value(missing[0])}")


def _names(form: LexborNode) -> set[str]:
    nodes = form.css("input[name], select[name], textarea[name], button[name]")
    return {node.attributes.get("name") or "" for node in nodes}


def _values(form: LexborNode) -> Mapping[str, str]:
    """The form's own values, as a browser would send them untouched, with its first button."""
    found: dict[str, str] = {}
    has_button = False
    for node in form.css("input[name], select[name], textarea[name], button[name]"):
        attributes = node.attributes
        name, value = attributes.get("name") or "", attributes.get("value")
        kind = (attributes.get("type") or ("submit" if node.tag == "button" else "text")).lower()
        if "disabled" in attributes:
            continue
        if node.tag == "select":
            options = node.css("option")
            chosen = next((option for option in options if "selected" in option.attributes), None)
            chosen = chosen or (options[0] if options else None)
            if chosen is not None:
                found[name] = chosen.attributes.get("value") or chosen.text()
        elif node.tag == "textarea":
            found[name] = node.text()
        elif kind in _BUTTONS:
            if kind == "submit" and not has_button:
                found[name], has_button = value or "", True
        elif kind in ("checkbox", "radio"):
            if "checked" in attributes:
                found[name] = value or "on"
        elif kind != "file":
            found[name] = value or ""
    return found
