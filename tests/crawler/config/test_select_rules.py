"""Rules for what is taken from pages: how they are written, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock import CrawlConfig, SelectRule
from penstock.crawler.cli import main
from penstock.crawler.config.crawl_config import CRAWL_OPTIONS
from penstock.crawler.config.option_files import as_toml, read_options
from penstock.crawler.config.select_rules import Pick, check_rules
from penstock.crawler.errors import BadConfig

SEED = "http://127.0.0.1:9/"


def rule(item: object) -> SelectRule:
    [settled] = check_rules("--select", item)
    return settled


def refusal(item: object) -> str:
    with pytest.raises(BadConfig) as caught:
        check_rules("--select", item)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestSpelling:
    def test_a_flag_is_name_and_selector(self) -> None:
        assert rule("price=.price") == SelectRule(name="price", css=".price")

    def test_an_attribute_stands_behind_an_at_sign(self) -> None:
        assert rule("image=img.main@src").picks == (Pick("img.main", "src"),)

    def test_signs_within_the_selector_are_its_own(self) -> None:
        assert rule("mail=a[href='x@y=z']").picks == (Pick("a[href='x@y=z']", None),)

    def test_brackets_after_the_name_ask_for_all(self) -> None:
        assert rule("tag[]=.tag") == SelectRule(name="tag", css=".tag", many=True)

    def test_a_table_tries_its_selectors_in_order_each_with_its_own_attribute(self) -> None:
        table = {"name": "price", "css": ["meta[name=price]@content", ".price"], "type": "float"}

        assert rule(table).picks == (Pick("meta[name=price]", "content"), Pick(".price", None))

    def test_the_rule_written_down_is_the_same_rule(self) -> None:
        """For another process, and for --print-config."""
        full = SelectRule(
            name="a", css=("x@y", "z"), attr="b", regex="c(d)", type="date", url="e", many=True, format="%Y"
        )

        assert rule(full.as_dict()) == full


class TestRefusals:
    @pytest.mark.parametrize(
        ("item", "said"),
        [
            ("price", "must have the form NAME=CSS"),
            ("=.price", "not a valid name"),
            ("two words=.price", "not a valid name"),
            ("price=", "a selector is missing"),
            ("price=@content", "a selector is missing"),
            ({"name": "a"}, "has no css"),
            ({"name": "a", "css": []}, "must be a selector"),
            ({"name": "a", "css": "x", "typ": "int"}, "did you mean type?"),
            ({"name": "a", "css": "x", "type": "number"}, "must be one of str, int, float, bool, date"),
            ({"name": "a", "css": "x", "regex": "("}, "not a valid regular expression"),
            ({"name": "a", "css": "x", "many": "yes"}, "must be true or false"),
            (7, "must be text or a table"),
            ([None], "must be text or a table"),
        ],
    )
    def test_each_mistake_has_its_line(self, item: object, said: str) -> None:
        assert said in refusal(item)

    def test_all_mistakes_are_reported_together(self) -> None:
        said = refusal(["price", {"name": "a", "css": "x", "type": "t", "regex": "["}])

        assert "NAME=CSS" in said
        assert "regex of 'a'" in said
        assert "type of 'a'" in said

    def test_a_selector_that_is_none_is_refused_before_the_first_request(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        db = tmp_path / "crawl.db"

        code = main(["--seed", SEED, "--db", str(db), "--select", "a=div >", "--select", "b=p:frist"])

        err = capsys.readouterr().err
        assert code == 2
        assert err.count("\n") == 1
        assert "css of 'a': 'div >' is no CSS selector" in err
        assert "css of 'b'" in err
        assert not db.exists()


class TestFile:
    def test_a_price_monitor_is_five_lines(self, tmp_path: Path) -> None:
        file = tmp_path / "shop.toml"
        file.write_text(
            'seed = "http://shop.example/"\n[[select]]\nname = "price"\ncss = ".price"\ntype = "float"\n'
        )

        config = CrawlConfig(**read_options(str(file), CRAWL_OPTIONS.keys()))  # type: ignore[arg-type]

        assert config.select_rules == (SelectRule(name="price", css=".price", type="float"),)

    def test_the_configuration_written_as_toml_reads_back(self, tmp_path: Path) -> None:
        file = tmp_path / "shop.toml"
        rules_ = [
            SelectRule(name="a", css=["x", "y@z"], regex=r'\d"'),
            SelectRule(name="b", css="c", many=True),
        ]
        file.write_text(as_toml({"seeds": [SEED], "select": [rule.as_dict() for rule in rules_]}))

        config = CrawlConfig(**read_options(str(file), CRAWL_OPTIONS.keys()))  # type: ignore[arg-type]
        assert config.select_rules == tuple(rules_)

    def test_rules_are_no_part_of_a_crawls_identity(self) -> None:
        """A rule may be added to a crawl that is half done."""
        assert (
            CrawlConfig(seeds=SEED, select=["a=b"]).identity()
            == CrawlConfig(seeds=SEED, select=["c=d"], structured=True).identity()
        )
