"""Configuration: checked once, all mistakes at once, and no secret leaves it by accident."""

from __future__ import annotations

import copy
import json
import math
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import pytest

from penstock import CrawlConfig
from penstock.crawler.errors import BadConfig
from penstock.crawler.version import VERSION

SEED = "http://example.com/"


def config(**values: object) -> CrawlConfig:
    return CrawlConfig(**{"seeds": [SEED], **values})  # type: ignore[arg-type]


def refusal(**values: object) -> str:
    with pytest.raises(BadConfig) as caught:
        config(**values)
    message = str(caught.value)
    assert "\n" not in message
    return message


class TestNames:
    @pytest.mark.parametrize(
        ("wrong", "meant"),
        [("dept", "depth"), ("seed", "seeds"), ("max-pages", "max_pages"), ("no_robot", "no_robots")],
    )
    def test_a_wrong_keyword_suggests_the_right_one(self, wrong: str, meant: str) -> None:
        assert refusal(**{wrong: 1}) == f"unknown option '{wrong}' (did you mean {meant}?)"

    def test_all_wrong_keywords_are_named_together(self) -> None:
        assert refusal(colour="red", size=2) == "unknown option 'colour'; unknown option 'size'"

    def test_a_configuration_can_be_copied_and_pickled(self) -> None:
        """So a program can send it to another process."""
        one = config(depth=3)

        assert pickle.loads(pickle.dumps(one)) == one == copy.copy(one)
        assert replace(one, depth=4).depth == 4


class TestSeeds:
    def test_spellings_of_one_url_are_one_seed(self) -> None:
        seeds = config(seeds=["HTTP://EXAMPLE.com:80", SEED, "http://example.com/#top"]).canonical_seeds

        assert seeds == (SEED,)

    def test_the_order_given_is_kept(self) -> None:
        assert config(seeds=["http://b/", "http://a/"]).canonical_seeds == ("http://b/", "http://a/")

    def test_a_single_text_is_one_seed(self) -> None:
        assert config(seeds=SEED).canonical_seeds == (SEED,)

    def test_at_least_one_is_needed(self) -> None:
        assert "--seed: at least one" in refusal(seeds=[])

    @pytest.mark.parametrize(
        "seed",
        ["", " ", "/path", "?q", "file:///etc/passwd", "mailto:a@b.c", "http://", "http://[::1", "\ud800"],
    )
    def test_only_absolute_http_urls_are_taken(self, seed: str) -> None:
        assert "not an absolute http(s) URL" in refusal(seeds=[seed])

    @pytest.mark.parametrize(
        ("seed", "meant"),
        [
            ("example.com", "http://example.com/"),
            ("example.com/a?b", "http://example.com/a?b"),
            ("localhost:8000", "http://localhost:8000/"),
            ("box:8000/x", "http://box:8000/x"),
            ("127.0.0.1", "http://127.0.0.1/"),
            ("//example.com/x", "http://example.com/x"),
        ],
    )
    def test_a_bare_host_gets_a_hint(self, seed: str, meant: str) -> None:
        assert f"did you mean {meant}?" in refusal(seeds=[seed])

    @pytest.mark.parametrize(
        "seed",
        [
            "http://bob:hunter2@example.com/",
            "http:\\\\bob:hunter2@example.com",
            "ht\ntp://bob:hun\nter2@example.com/",
            "http://bob:hunter2@exa mple.com/",
            "bob:hunter2@example.com",
            "//bob:hunter2@example.com",
            "ftp://bob:hunter2@example.com",
        ],
    )
    def test_a_password_is_refused_and_not_repeated(self, seed: str) -> None:
        """The line may end in the log of a CI run."""
        assert "hun" not in refusal(seeds=[seed])

    def test_an_at_sign_in_the_path_is_no_user(self) -> None:
        assert config(seeds=["http://example.com/@me?x=a@b"]).canonical_seeds == (
            "http://example.com/@me?x=a@b",
        )

    def test_a_seed_over_the_length_limit_is_refused_in_short(self) -> None:
        message = refusal(seeds=[SEED + "a" * 3000])

        assert "the limit is 2083" in message
        assert len(message) < 200

    def test_a_thousand_bad_seeds_make_a_readable_line(self) -> None:
        message = refusal(seeds=[f"/{n}" for n in range(1000)])

        assert message.endswith("and 980 more")


class TestValues:
    def test_defaults_are_those_of_the_contract(self) -> None:
        made = config()

        assert (made.depth, made.path, made.scope, made.fetchers, made.per_host) == (
            2,
            Path("crawl.db"),
            "host",
            1_024,
            8,
        )
        assert (made.delay, made.throttle, made.timeout, made.retries) == (0.0, "adaptive", 30.0, 3)
        assert made.max_body == 10 * 1024 * 1024

    @pytest.mark.parametrize("depth", [None, "inf", math.inf])
    def test_no_limit_of_depth_has_three_spellings(self, depth: object) -> None:
        assert config(depth=depth).depth is None

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("depth", -1),
            ("depth", 1.5),
            ("depth", True),
            ("depth", math.nan),
            ("depth", -math.inf),
            ("fetchers", 0),
            ("fetchers", "64"),
            pytest.param("fetchers", 10**5000, id="huge"),  # more digits than Python prints
            ("queue_size", math.inf),
            ("max_pages", 0),
            ("max_bytes", 2**63),
            ("max_time", 0),
            ("timeout", math.nan),
            ("timeout", math.inf),
            pytest.param("timeout", 10**400, id="huge-timeout"),  # more than a float holds
            ("delay", -0.1),
            ("delay", False),
            ("retries", None),
            ("throttle", "slow"),
            ("scope", ["host"]),
            ("db", ""),
            ("db", "a\0b"),
            ("db", ":memory:"),
            ("no_robots", "no"),
            ("save_bodies", 1),
            ("include", "("),
            ("include", [5]),
            ("exclude", ""),
            ("user_agent", ""),
            ("user_agent", "a\r\nb"),
            ("contact", "a b"),
        ],
    )
    def test_a_value_out_of_range_is_refused_by_its_flag(self, name: str, value: object) -> None:
        assert refusal(**{name: value}).startswith("--" + name.replace("_", "-") + ": ")

    def test_all_that_is_wrong_is_said_at_once(self) -> None:
        message = refusal(seeds=["x", "y"], fetchers=0, timeout=-1, include=["(", "["])

        assert message.count(";") == 5

    def test_an_odd_but_working_pattern_does_not_warn(self) -> None:
        """Python warns of possible nested sets; the operator can do nothing about it."""
        assert config(include="[[a]").include == ("[[a]",)

    def test_nothing_can_be_changed_afterwards(self) -> None:
        with pytest.raises(FrozenInstanceError):
            config().depth = 3  # type: ignore[misc]

    def test_a_mapping_of_fetchers_is_answered_with_the_argument_of_crawl(self) -> None:
        message = refusal(seeds=["http://h/"], fetchers={"plain": object()})

        assert message.startswith("--fetchers: must be a whole number from 1 to 10000, not {")
        assert message.endswith("; fetch tiers are given to Crawl(config, fetchers=...)")


class TestHeaders:
    def test_names_and_values_are_taken_apart(self) -> None:
        assert config(header=["X-A:b: c", "Cookie:  d "]).headers == (("X-A", "b: c"), ("Cookie", "d"))

    @pytest.mark.parametrize(
        "header", ["no colon", ": x", "A B: x", "X: a\r\nY: b", "X: \x00", "X: \N{SNOWMAN}", "\xe4: b"]
    )
    def test_what_could_split_a_request_is_refused(self, header: str) -> None:
        assert refusal(header=header).startswith("--header: ")

    @pytest.mark.parametrize(
        "name", ["Host", "content-length", "TRANSFER-ENCODING", "Connection", "Accept-Encoding", "User-Agent"]
    )
    def test_what_belongs_to_the_connection_is_refused(self, name: str) -> None:
        assert f"{name} cannot be set" in refusal(header=f"{name}: x")

    def test_no_message_shows_what_may_be_a_secret(self) -> None:
        bad = [
            "Bearer hunter2",
            "Bearer hunter2: x",
            "Authorization: hunter2\n",
            ("Authorization", "hunter2"),
        ]

        assert "hunter2" not in refusal(header=bad)


class TestAgent:
    def test_the_default_user_agent_has_the_product_and_its_version(self) -> None:
        assert config().agent == f"Penstock/{VERSION}"

    def test_a_contact_is_added_for_the_sites_we_visit(self) -> None:
        assert config(contact="https://me.org/bot").agent == f"Penstock/{VERSION} (+https://me.org/bot)"

    def test_a_given_text_is_used_as_it_is(self) -> None:
        assert config(user_agent="Mine/1", contact="https://me.org/").agent == "Mine/1"


class TestIdentity:
    def test_order_and_spelling_do_not_make_another_crawl(self) -> None:
        one = config(seeds=["http://a/", "http://b/"], include=["x", "y"])
        other = config(seeds=["http://B/", "http://a", "http://b"], include=["y", "x", "y"])

        assert one.identity() == other.identity()

    @pytest.mark.parametrize(
        "change",
        [
            {"seeds": ["http://a/"]},
            {"scope": "any"},
            {"include": "x"},
            {"exclude": "x"},
            {"strip_param": "x"},
            {"strip_sessions": True},
            {"sort_query": True},
            {"fold_index": True},
        ],
        ids=str,
    )
    def test_where_a_crawl_may_go_makes_another_crawl(self, change: dict[str, object]) -> None:
        assert config(**change).identity() != config().identity()

    def test_all_else_may_change_from_run_to_run(self) -> None:
        changed = config(
            depth=9, db="x.db", max_pages=5, fetchers=1, header="A: b", no_robots=True, save_bodies=True
        )

        assert changed.identity() == config().identity()

    def test_the_public_configuration_can_be_stored_as_json(self) -> None:
        identity = config().identity()

        assert json.loads(json.dumps(identity)) == identity


class TestPublic:
    def test_headers_are_there_by_name_only(self) -> None:
        stored = json.dumps(config(header=["Authorization: hunter2", "X-Mine: hunter2"]).public())

        assert "Authorization" in stored
        assert "hunter2" not in stored

    def test_every_field_is_there(self) -> None:
        assert set(config().public()) >= {field.name for field in fields(CrawlConfig)}

    def test_a_million_seeds_do_not_fill_every_run(self) -> None:
        public = config(seeds=[f"http://h/{n}" for n in range(5000)]).public()

        assert public["seeds_total"] == 5000
        assert len(json.dumps(public)) < 10_000
