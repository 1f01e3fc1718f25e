"""Crawler: decisions. What is fetched, when, and what becomes of it.

    seeds ─▶ admission ─▶ frontier ═▶ fetch ═▶ parse ═▶ store ─┐
                              ▲                                │
                              └──────── one commit ◀───────────┘

Here are the facts that all rooms share:

    messages     what travels between the stages
    ports        what the rooms ask of each other, as protocols
    urls         the canonical spelling of a URL
    extraction   values, items and text that were taken from a page
    snapshot     how a run stands at one moment
    run_result   how a run ended
    reasons      why a URL failed, was skipped or waits: every word, its meaning, what to try
    plugs        how fetch tiers, kinds of document and exports are found
    errors       what is wrong by us or the operator
    version      the version

The rooms, lowest first; a room imports only rooms above it in this list:

    policies/    pure decisions: scope, retry, politeness, traps, robots.txt rules
    output/      logs, terminal, files
    config/      options and their checks
    scheduler/   the frontier, the hosts, the throttle, the door for URLs
    engine/      worker pools and the byte budget
    monitor/     telemetry, metrics, the watchdog
    app/         the wiring: builds every part and runs the crawl
    library/     Penstock for programs: what `penstock` exports
    cli/         the commands
"""
