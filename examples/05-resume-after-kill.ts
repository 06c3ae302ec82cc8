/**
 * 5. A program that may be killed: with a key, the next run goes on with the same job. Finished results are not computed again,
 * and none is missing.
 *
 *     npx manyhands run examples/05-resume-after-kill.ts      (kill it with Ctrl-C; the clients go on)
 *     npx manyhands run examples/05-resume-after-kill.ts      (goes on)
 * prints as tasks complete
 *     1/40 2/40 …
 *     40 counts; the last: 63951 primes below 800000
 */
import { connect } from "../parallel/index.ts";

await using hands = await connect();

const limits = Array.from({ length: 40 }, (_, index) => (index + 1) * 20_000);

const job = hands.map(
  (limit: number) => {
    const composite = new Uint8Array(limit);
    let primes = 0;
    for (let n = 2; n < limit; n++) {
      if (composite[n]) continue;
      primes++;
      for (let multiple = n * n; multiple < limit; multiple += n) composite[multiple] = 1;
    }
    return primes;
  },
  limits,
  // A key belongs to this kernel and these inputs: other inputs need another key.
  { key: "primes-below-1" },
);
console.error(`job ${await job.id}; \`manyhands job ${await job.id}\` shows it from anywhere`);

const primes: number[] = [];
let done = 0;
for await (const { index, output, error } of job) {
  if (error) throw error;
  primes[index] = output;
  process.stdout.write(`${++done}/${limits.length} `);
}
console.log(`\n${limits.length} counts; the last: ${primes.at(-1)} primes below ${limits.at(-1)}`);
