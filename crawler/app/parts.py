"""Parts: builds and connects the parts of a crawl. Read `make_parts` from top to bottom.

May touch: every room. Never: start a task, wait for anything, or decide anything.

A `Blueprint` holds what the configuration alone decides. It is made once, and checked before any
file is opened. The `Parts` of a run need the open file too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from penstock.crawler.config.crawl_config import CRAWL_OPTIONS, CrawlConfig
from penstock.crawler.config.domains import registrable_domain
from penstock.crawler.engine.body_budget import BodyBudget
from penstock.crawler.engine.engine import Stopping
from penstock.crawler.engine.open_files import free_sockets, limit
from penstock.crawler.engine.pool import Pool
from penstock.crawler.messages import CanonicalUrl, Dead, Done, RobotsAnswer, Verdict
from penstock.crawler.monitor.estimates import RemainingBudget
from penstock.crawler.monitor.run_counts import RunCounts
from penstock.crawler.monitor.telemetry import LoopLag, Telemetry
from penstock.crawler.monitor.watchdog import FailureWarnings, warn_of_slow_plugin
from penstock.crawler.output.logs import get_logger, is_enabled
from penstock.crawler.plugs import given_plugs
from penstock.crawler.policies.breaker import Breaker
from penstock.crawler.policies.politeness import Bandwidth, Budget, Politeness
from penstock.crawler.policies.reach import Horizon
from penstock.crawler.policies.retry import Retry
from penstock.crawler.policies.robots_txt import RobotsPolicy, product_token
from penstock.crawler.policies.scope import Scope
from penstock.crawler.policies.sessions import Sessions
from penstock.crawler.policies.traps import Traps
from penstock.crawler.ports import Fetcher, Saved, Totals, VerdictStore
from penstock.crawler.scheduler.discovery import Admission
from penstock.crawler.scheduler.frontier import Frontier
from penstock.crawler.scheduler.handshakes import HopRules
from penstock.crawler.scheduler.robots_cache import RobotsRules
from penstock.crawler.scheduler.seen import SeenFilter
from penstock.crawler.scheduler.throttle import Clock
from penstock.crawler.urls import host_of
from penstock.stages.extractors import DocumentTable
from penstock.stages.extractors.fields.plan import Plan, plan_of
from penstock.stages.extractors.html import HtmlExtractor
from penstock.stages.fetch import FetchStage
from penstock.stages.fetchers import FetchContext, Tier, load_tiers
from penstock.stages.parse import LocalReader, ParseStage, Placement
from penstock.stages.store import StoreStage
from penstock.stages.workers.worker_pool import WorkerPool
from penstock.storage.writing.crawl_store import CrawlSettings, OpenRun
from penstock.storage.writing.parse_marks import ParseMarks

if TYPE_CHECKING:
    from penstock.crawler.config.session_file import LogIn
    from penstock.crawler.policies.cookies import Cookies
    from penstock.crawler.policies.rewrite import Rewrite
    from penstock.stages.extractors.fields.field_extractor import FieldExtractor
    from penstock.stages.http.trust import Trust

log = get_logger()

FEW_FETCHERS = 64
MAX_RESULT_BYTES = 32 << 20  # of parse results that are not stored yet


class Blueprint(Struct, frozen=True, kw_only=True):
    """What the configuration alone decides, before any file is opened. Runs may share it."""

    config: CrawlConfig
    cookies: Cookies | None
    trust: Trust | None
    log_in: LogIn | None
    tiers: Mapping[str, Tier]
    plan: Plan | None
    fields: FieldExtractor | None
    rewrite: Rewrite | None
    robots: RobotsPolicy
    documents: DocumentTable
    seen: SeenFilter | None  # replaces the built-in one; for tests

    @property
    def retry(self) -> Retry:
        config = self.config
        return Retry(
            retries=config.retries, first_wait=config.retry_delay, max_retry_after=config.max_retry_after
        )

    def sources(self) -> list[str]:
        """The names of the rules and plugins."""
        names = [rule.name for rule in self.config.select_rules]
        if self.config.plugins:
            from penstock.crawler.config.plugins import names_of

            names += names_of(self.config.plugins)
        return names

    def settings(self) -> CrawlSettings:
        """The part of the configuration that the crawl's file stores."""
        config, seeds = self.config, self.config.canonical_seeds
        if self.rewrite is not None:
            seeds = tuple(dict.fromkeys(map(self.rewrite, seeds)))
        return CrawlSettings(
            identity=config.identity() | ({} if self.log_in is None else {"session": self.log_in.plan.name}),
            seeds=seeds,
            sitemaps=config.canonical_sitemaps,
            robots=not config.no_robots,
            retry_failed=config.retry_failed,
            retries=config.retries,
            public=config.public(),
            durable=config.durable,
            search=config.search,
            resources=config.resources,
            external=config.check_external,
            longest_wait=max(config.max_retry_after, self.retry.longest),
        )

    def fetch_context(self) -> FetchContext:
        """How to fetch in one run. Byte budget and bandwidth start anew with each run."""
        config = self.config
        return FetchContext(
            user_agent=config.agent,
            headers=dict(config.headers),
            header_origins=config.credential_origins,
            cookies=self.cookies,
            log_in=self.log_in,
            first_cookies=config.cookies_from_seed,
            proxy=config.exit,
            trust=self.trust,
            public_only=config.public_only,
            max_sockets=free_sockets(config.processes),
            timeout=config.timeout,
            wants=(lambda content_type: True) if config.save_bodies else self.documents.wants,
            may_skip=(lambda content_type: False) if config.save_bodies else self.documents.is_optional,
            max_body=config.max_body,
            max_robots=self.robots.max_bytes,
            keep_headers=config.save_bodies or bool(config.plugins),  # a plugin sees them
            keep_all=config.save_bodies,
            budget=BodyBudget(config.body_memory),
            bandwidth=None if config.bandwidth is None else Bandwidth(config.bandwidth),
        )

    def opening(self, site: str) -> CanonicalUrl:
        """The URL of an origin that --cookies-from-seed requests first: a seed, else its `/`."""
        seeds = [seed for seed in self.config.canonical_seeds if seed.startswith(f"{site}/")]
        return min(seeds, default=CanonicalUrl(f"{site}/"))

    def admission(self, seeds: Sequence[CanonicalUrl]) -> Admission:
        """The check that every URL passes before it enters the frontier."""
        config = self.config
        closed = None if self.log_in is None else self.log_in.plan.closed
        scope = Scope(config.scope, seeds, config.included, config.excluded, registrable_domain, closed)
        return Admission(
            scope,
            Horizon(depth=config.depth),
            None if config.no_traps else Traps(),
            sitemaps=config.reads_sitemaps,
        )

    def seen_filter(self, known_urls: int) -> SeenFilter:
        """A seen set with room for the URLs that the file and the page budget suggest."""
        if self.seen is not None:
            return self.seen
        expected = max(2 * known_urls, 20 * (self.config.max_pages or 0))
        return SeenFilter(capacity=expected, loaded=not known_urls)


def make_blueprint(
    config: CrawlConfig,
    *,
    fetchers: Mapping[str, object] | None = None,
    documents: Mapping[str, object] | None = None,
    seen: SeenFilter | None = None,
) -> Blueprint:
    """Check what `CrawlConfig` cannot check by itself: files, selectors, plugins. Raises BadConfig."""
    plan = plan_of(config)
    fields = rewrite = None
    if plan is not None:
        from penstock.stages.extractors.fields.field_extractor import FieldExtractor

        fields = FieldExtractor(plan, on_slow=warn_of_slow_plugin)
    if config.strip_param or config.strip_sessions or config.sort_query or config.fold_index:
        from penstock.crawler.policies.rewrite import Rewrite

        rewrite = Rewrite(config.strip_param, config.strip_sessions, config.sort_query, config.fold_index)
    return Blueprint(
        config=config,
        cookies=cookies_of(config),
        trust=trust_of(config),
        log_in=log_in_of(config),
        tiers=load_tiers(config.tiers[0], given_plugs("fetchers", fetchers)),
        plan=plan,
        fields=fields,
        rewrite=rewrite,
        robots=RobotsPolicy(token=product_token(config.agent)),
        documents=DocumentTable(given_plugs("documents", documents), html=HtmlExtractor(fields=fields)),
        seen=seen,
    )


def cookies_of(config: CrawlConfig) -> Cookies | None:
    """Raises BadConfig for a cookie file that cannot be read."""
    if config.cookies is None:
        return None
    from penstock.crawler.config.credentials import load_cookies

    return load_cookies(config.cookies, config.credential_origins)


def trust_of(config: CrawlConfig) -> Trust | None:
    """Raises BadConfig for a certificate file that cannot be read."""
    if config.ca_file is None and not config.insecure and config.client_cert is None:
        return None
    from penstock.crawler.config.environment import key_password
    from penstock.stages.http.trust import load_trust

    if config.insecure:
        log.warning(
            "certificates_not_verified",
            hint="anybody on the way can read and change what is sent and received; "
            "--ca-file FILE trusts one authority instead",
        )
    return load_trust(
        ca_file=config.ca_file,
        insecure=config.insecure,
        client_cert=config.client_cert,
        client_key=config.client_key,
        key_password=key_password() if config.client_cert is not None else None,
    )


def log_in_of(config: CrawlConfig) -> LogIn | None:
    """Raises BadConfig for a session file that cannot be used."""
    if config.session is None:
        return None
    from penstock.crawler.config.session_file import LogIn, read_session
    from penstock.stages.extractors.fields.form import check_selectors, fill_form, has_check

    plan = read_session(str(config.session))
    check_selectors(plan, str(config.session))
    scope = Scope(config.scope, config.canonical_seeds, registrable=registrable_domain)
    if not scope.may_hold(host_of(CanonicalUrl(f"{plan.origin}/"))):
        log.warning(
            "session_out_of_scope",
            origin=plan.origin,
            reason="the session is for this origin only, and no seed is in its scope",
            hint="give a seed of this origin, or name the origin of the pages in the session file",
        )
    return LogIn(plan, partial(fill_form, plan), partial(has_check, plan))


class Observer(Struct, frozen=True, kw_only=True):
    """A program that follows a run from inside its process."""

    after_commit: Callable[[Verdict], Awaitable[None]]  # while it waits, so does the crawl
    on_stop: Callable[[], object] = lambda: None  # called once when the run is asked to stop
    is_waiting: Callable[[], bool] = lambda: False  # true while the crawl waits for the program
    bodies: bool = False  # the bodies of HTML pages are wanted


class WithoutBodies(Struct, frozen=True):
    """A VerdictStore that stores no bodies: they are in the verdicts for an observer only."""

    store: VerdictStore

    async def save(self, verdict: Verdict) -> Saved:
        if isinstance(verdict, Done | Dead) and verdict.body is not None:
            verdict = replace(verdict, body=None)
        return await self.store.save(verdict)


class Parts(Struct, frozen=True, kw_only=True):
    """Every part of one run, connected. `close` what was opened, whether it ran or not."""

    frontier: Frontier
    pools: Sequence[Pool]  # in flow order
    telemetry: Telemetry
    lag: LoopLag
    marks: ParseMarks
    workers: WorkerPool

    async def close(self) -> None:
        await self.workers.close()
        self.marks.close()


def make_parts(
    blueprint: Blueprint,
    opened: OpenRun,
    totals: Totals,
    *,
    fetchers: Mapping[str, Fetcher],
    counts: RunCounts,
    stopping: Stopping,
    started: float,
    observer: Observer | None = None,
) -> Parts:
    """Build and connect every part of a run. `totals` are the crawl's before it, `started` is monotonic."""
    config, lag, clock = blueprint.config, LoopLag(), Clock()
    fetchers_at_once = fetch_workers(config)
    marks = opened.open_marks(config.parsers)  # first: it may fail, and nothing else is open yet
    frontier = make_frontier(blueprint, opened, totals, clock, lag, fetchers=fetchers_at_once)
    results = BodyBudget(MAX_RESULT_BYTES)
    workers = WorkerPool(max(config.processes - 1, 1), plan=blueprint.plan, results=results)
    results.on_release = workers.dispatch
    fetch = FetchStage(
        fetchers=fetchers, gate=frontier, robots=blueprint.robots, logs_requests=is_enabled("debug")
    )
    parse = make_parse_stage(blueprint, marks, workers, results, observer)
    store = make_store_stage(blueprint, opened, frontier, clock, counts, observer)
    pools = [
        Pool(stage=fetch, workers=fetchers_at_once, inbox=asyncio.Queue(config.queue_size)),
        Pool(stage=parse, workers=config.parsers, inbox=asyncio.Queue(config.queue_size)),
        Pool(stage=store, workers=config.storers, inbox=asyncio.Queue(config.queue_size)),
    ]
    budget = RemainingBudget.of(config, totals)
    telemetry = Telemetry(
        counts,
        frontier,
        pools,
        budget=budget,
        started=started,
        lag=lag,
        mean_lag=lag.mean_of_run,
        bandwidth=config.bandwidth,
        stopping=lambda: stopping.reason,
    )
    return Parts(frontier=frontier, pools=pools, telemetry=telemetry, lag=lag, marks=marks, workers=workers)


def fetch_workers(config: CrawlConfig) -> int:
    """Return `config.fetchers`, or the number of sockets that the limit of open files leaves."""
    sockets = free_sockets(config.processes)
    if sockets is None or sockets >= config.fetchers:
        return config.fetchers
    # The default is more than most crawls need: its cut is worth a line only where few are left.
    if sockets < FEW_FETCHERS or config.fetchers != CRAWL_OPTIONS["fetchers"].default:
        log.warning(
            "fetchers_limited",
            fetchers=sockets,
            asked=config.fetchers,
            reason=f"the limit of open files is {limit()}",
            hint="raise it with ulimit -n",
        )
    return sockets


def make_frontier(
    blueprint: Blueprint,
    opened: OpenRun,
    totals: Totals,
    clock: Clock,
    lag: LoopLag,
    *,
    fetchers: int,
) -> Frontier:
    config = blueprint.config
    return Frontier(
        opened.frontier,
        politeness=Politeness(
            per_host=config.per_host,
            delay=config.delay,
            rate=config.rate,
            adaptive=config.throttle == "adaptive",
            max_pause=config.max_retry_after,
        ),
        budget=Budget(
            max_pages=config.max_pages,
            max_bytes=config.max_bytes,
            max_pages_per_host=config.max_pages_per_host,
        ),
        retry=blueprint.retry,
        breaker=Breaker(),
        robots=None if config.no_robots else blueprint.robots,
        clock=clock,
        totals=totals,
        poison_pages=opened.poison_pages,
        fetchers=fetchers,
        lag=lag,
        sessions=None if config.no_traps else Sessions(),
        tier=config.tiers[0],
        hops=HopRules(
            scope=lambda url: opened.admission.scope.rule(url),
            rewrite=blueprint.rewrite,
            registrable_domain=registrable_domain,
        ),
        opening=blueprint.opening if config.cookies_from_seed else None,
    )


def make_parse_stage(
    blueprint: Blueprint,
    marks: ParseMarks,
    workers: WorkerPool,
    results: BodyBudget,
    observer: Observer | None,
) -> ParseStage:
    config, fields = blueprint.config, blueprint.fields
    return ParseStage(
        documents=blueprint.documents,
        on_errors=FailureWarnings().note,
        reader=LocalReader(marker=marks),
        workers=workers,
        # Plugins that only this process knows run here: other processes would be of little help.
        placement=Placement(shares_light=config.processes > 1 and (fields is None or fields.portable)),
        results=results,
        rewrite=blueprint.rewrite,
        token=blueprint.robots.token,
        keep_all=config.save_bodies,
        rules=replace(config.link_rules, token=blueprint.robots.token.lower()),
        keep_bodies=config.save_bodies or (observer is not None and observer.bodies),
    )


def make_store_stage(
    blueprint: Blueprint,
    opened: OpenRun,
    frontier: Frontier,
    clock: Clock,
    counts: RunCounts,
    observer: Observer | None,
) -> StoreStage:
    store: VerdictStore = opened.writer
    if observer is not None and observer.bodies and not blueprint.config.save_bodies:
        store = WithoutBodies(store)

    def with_sitemaps(answer: RobotsAnswer) -> RobotsAnswer:
        rules = RobotsRules.of(answer, blueprint.robots)
        return replace(answer, sitemaps=rules.sitemaps, refused_sitemaps=rules.refused_sitemaps)

    return StoreStage(
        store=store,
        frontier=frontier,
        retry=blueprint.retry,
        clock=clock,
        with_sitemaps=with_sitemaps,
        on_verdict=counts.count_verdict,
        after_commit=None if observer is None else observer.after_commit,
    )
