/** A worker that counts for some time, and answers how far it came in a millisecond. */
addEventListener("message", ({ data: ms }: MessageEvent<number>) => {
  const start = performance.now();
  let rounds = 0;
  let now = start;
  for (; now - start < ms; now = performance.now()) {
    for (let i = 0; i < 1000; i++) Math.imul(i, rounds);
    rounds++;
  }
  postMessage(rounds / (now - start));
});
