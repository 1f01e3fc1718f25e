"""The command: `python run_crawl.py --seed URL --depth 2`. All of it is in `crawler.cli`."""

import gc
import sys

gc.disable()  # what is loaded is there to stay: thirty searches for circles in it find none
from crawler.cli import main  # noqa: E402

gc.enable()

if __name__ == "__main__":
    sys.exit(main())
