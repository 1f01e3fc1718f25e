"""Version: the one place that knows it.

May touch: nothing.
"""

VERSION = "0.1.0"
