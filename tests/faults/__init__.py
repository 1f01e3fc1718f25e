"""The fault suite: inject a fault at every position, resume, and compare with an undisturbed crawl.

    python -m tests.faults            all of it; minutes
    python -m tests.faults --short    positions sampled evenly; what CI runs

    __main__.py      the command: which faults, the table, the exit code
    fault.py         what a fault is, and how its cases are spread over the suite's workers
    suite_worker.py  one worker: a served web, crawls as processes of their own
    trapped_crawl.py the product in a process with a trap set; the product itself has no hooks
    webs.py          the webs that are crawled
    invariants.py    what must hold after a kill, and after the end

README.md says which promise each fault proves. Every other file is one kind of fault; its `FAULTS`
are what the command runs. A case is a line of words ("commit before 17"), so that a failed case can
be repeated alone: `python -m tests.faults --only NAME --case 'commit before 17'`.
"""
