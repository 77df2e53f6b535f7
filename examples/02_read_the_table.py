"""Read a run's table with pandas: the number and the scores of the particles in each micrograph.

Usage: python examples/02_read_the_table.py RUN
"""

import sys
from pathlib import Path

import pandas as pd

table = pd.read_parquet(Path(sys.argv[1]) / "table")
picked = table[table["picked"]]
print(picked.groupby("micrograph_id")["score"].describe()[["count", "min", "50%", "max"]].round(2))
