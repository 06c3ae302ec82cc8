"""A file of numbers, a slice of it for each task, and arrays as outputs: ``python3 03_slices.py``.

The file travels once; a client fetches and keeps what its tasks need. Outputs are arrays of NumPy, else memoryviews.
"""

import tempfile
from array import array
from pathlib import Path

import manyhands

SMOOTH = Path(__file__).parent / "kernels" / "smooth.js"
ROWS, WIDTH = 40, 250

with tempfile.TemporaryDirectory() as folder, manyhands.connect() as hands:
    path = Path(folder) / "image.raw"
    path.write_bytes(array("f", [row + (column % 2) for row in range(ROWS) for column in range(WIDTH)]).tobytes())

    image = hands.put(path)  # a data reference; memory never holds the whole file
    bytes_a_row = 4 * WIDTH
    rows = [image.slice(row * bytes_a_row, (row + 1) * bytes_a_row) for row in range(ROWS)]
    smoothed = hands.map(SMOOTH, [{"row": row, "passes": 3} for row in rows]).gather(progress=True)
    print(f"{len(smoothed)} rows of {len(smoothed[0])} numbers; the last one begins with {smoothed[-1][1]:.3f}")
