/** Jobs in the data directory of 0.1.0, for the script that made the directory and for its test. */
export const kernels = {
  square: "export default (x) => x * x",
  reverse: "export default async (ref, ctx) => ctx.put((await ctx.data(ref)).slice().reverse());",
  endless: "export default () => new Promise(() => {})",
  /** A task with such an input failed: 0.1.0 took no Float16Array for an output. */
  halves: "export default (x) => (x % 3 === 2 ? new Float16Array([x / 2]) : x * x)",
};

/** A job with a key, as a program submits it again after the upgrade; its inputs are 0 … 9, and it stays open. */
export const keyed = { name: "keyed", key: "kept", kernel: { source: kernels.square }, open: true };

/** A blob that was put. */
export const stored = new TextEncoder().encode("what a customer put in 0.1.0 ".repeat(40));
