"""Pi by throwing darts, as results come. The key lets the program go on where it was when it is killed and run again.

``python3 02_pi.py [KEY]``
"""

import sys

import manyhands

DARTS = """
(count, ctx) => {
  let hits = 0;
  for (let dart = 0; dart < count; dart++) {
    if (Math.hypot(ctx.random(), ctx.random()) < 1) hits++;  // seeded by job and index: the same on every client
    if (dart % 10000 === 0) ctx.progress(dart / count);
  }
  return hits;
}
"""
COUNT = 200_000

key = sys.argv[1] if len(sys.argv) > 1 else None
with manyhands.connect() as hands:
    job = hands.map(DARTS, [COUNT] * 50, name="pi", seed="2026", key=key)
    hits = tasks = 0
    for outcome in job:  # in the order of completion; result() raises when the kernel failed
        hits += outcome.result()
        tasks += 1
    print(f"pi is about {4 * hits / (tasks * COUNT):.4f} after {tasks * COUNT} darts")
