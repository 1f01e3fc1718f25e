"""The command: `python run_crawl.py --seed URL --depth 2`. All of it is in `crawler.cli`."""

import gc
import sys

gc.disable()  # what is loaded is there to stay: nobody need ever look for circles in it
from crawler.cli import main  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    sys.exit(main())
