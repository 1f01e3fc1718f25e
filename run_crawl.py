"""The command: `python run_crawl.py --seed URL --depth 2`. Its code is in `crawler/cli/`."""

import gc
import os
import sys

# In a checkout the package `penstock` is the folder `.src/penstock`; nothing needs to be installed.
# realpath, because this file may be called through a link, as from ~/bin.
sys.path.insert(1, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".src"))
gc.disable()  # objects made while modules load live until the end: a collection would free nothing
from penstock.crawler.cli import main  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    sys.exit(main())
