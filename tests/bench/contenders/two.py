"""Two: the tuned loop in two processes, each given half of the URLs beforehand.

What two cores could do if nobody had to find out which URLs there are, or keep the halves
from overlapping. `two URL OUTPUT --list FILE`; the outputs are OUTPUT and OUTPUT.2.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

TUNED = "tests.bench.contenders.tuned"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("output")
    parser.add_argument("--list", type=Path, required=True)
    options = parser.parse_args()
    urls = options.list.read_text().split()
    processes = []
    for number, output in enumerate((options.output, options.output + ".2")):
        half = Path(f"{options.output}.half{number}")
        half.write_text("\n".join(urls[number::2]))
        processes.append(subprocess.Popen([sys.executable, "-m", TUNED, options.url, output, "--list", half]))
    sys.exit(max(abs(process.wait()) for process in processes))


if __name__ == "__main__":
    main()
