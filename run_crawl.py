"""The command: `python run_crawl.py --seed URL --depth 2`. All of it is in `crawler.cli`."""

import sys

from crawler.cli import main

if __name__ == "__main__":
    sys.exit(main())
