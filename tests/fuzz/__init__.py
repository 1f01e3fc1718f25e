"""Fuzz: bytes of any kind, from the parser to the message that is stored. Needs the extra `fuzz`.

    python -m tests.fuzz -max_total_time=600 -rss_limit_mb=1500 FOLDER tests/fuzz/corpus

New inputs that reach new code go to FOLDER, which must exist; `corpus/` holds small seeds, and
every input that ever found something. `test_corpus.py` runs all of it with each test run.
"""
