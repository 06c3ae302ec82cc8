/** Leaves timers of every kind behind in its first task, and counts in its second how often they came. */
export const leavesTimers = `
  let came = 0;
  const again = () => setTimeout(() => { came++; again(); });
  export default async (x) => {
    if (x === 0) {
      setInterval(() => came++, 1);
      again();
      AbortSignal.timeout(1).addEventListener("abort", () => came++);
      Promise.resolve().then(() => new Promise(() => {})).then(again);
      return typeof Atomics.waitAsync;
    }
    // A timer that is left behind would come between those of this task.
    for (let turn = 0; turn < 25; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
    return came;
  };`;

/** Works on in turns of the event loop that are no timers. */
export const worksOn = `
  const wasm = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
  const workOn = async () => { for (;;) await WebAssembly.compile(wasm); };
  export default (x) => { if (x === 0) workOn(); return x; };`;
