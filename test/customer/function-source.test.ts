import { describe, expect, it } from "vitest";
import { moduleOfFunction } from "../../customer/kernel/function-source.ts";

type AnyKernel = (input: number) => unknown;

/** Runs a kernel from its text alone, as a client does. */
async function runAlone(kernel: AnyKernel, input: number): Promise<unknown> {
  const url = `data:text/javascript,${encodeURIComponent(moduleOfFunction(kernel))}`;
  const { default: run } = (await import(/* @vite-ignore */ url)) as { default: AnyKernel };
  return run(input);
}

// `this: void` allows the methods to be taken off their object.
const holder = {
  shorthand(this: void, x: number) {
    return x * 2;
  },
  async asyncShorthand(this: void, x: number) {
    return x * 2;
  },
  "quoted name"(this: void, x: number) {
    return x * 2;
  },
  get(this: void, x: number) {
    return x * 2;
  },
  async(this: void, x: number) {
    return x * 2;
  },
  *generates(this: void, x: number) {
    yield x;
  },
};

class Kernels {
  double(this: void, x: number): number {
    return x * 2;
  }
}

describe("a function written in place", () => {
  const kinds: Record<string, AnyKernel> = {
    arrow: (x) => x * 2,
    "arrow with a body": (x) => {
      const two = 2;
      return x * two;
    },
    "async arrow": async (x) => x * 2,
    "arrow returning an object literal's property": (x) => ({ twice: x * 2 }).twice,
    function: function (x) {
      return x * 2;
    },
    "named function": function twice(x: number): number {
      return x > 100 ? twice(x) : x * 2;
    },
    "async function": async function (x) {
      return x * 2;
    },
    "method shorthand": holder.shorthand,
    "async method shorthand": holder.asyncShorthand,
    "method with a quoted name": holder["quoted name"],
    "method named get": holder.get,
    "method named async": holder.async,
    "method of an instance": new Kernels().double,
  };
  it.each(Object.entries(kinds))("runs from its text: %s", async (_, kernel) => {
    expect(await runAlone(kernel, 21)).toBe(42);
  });

  it("runs although its runner wrote naming helpers into it", async () => {
    // oxlint-disable-next-line typescript/no-implied-eval -- code as such a runner makes it, unlike the runner of this test
    const compiled = new Function("return (x) => { const f = __name((y) => y * 2, 'f'); return f(x); }");
    expect(await runAlone(compiled() as AnyKernel, 21)).toBe(42);
  });

  const refused: [string, unknown, RegExp][] = [
    ["a native function", Math.sqrt, /sqrt cannot be a kernel: it is native or bound/],
    [
      "a bound function",
      holder.shorthand.bind(undefined),
      /bound shorthand cannot be a kernel: it is native or bound/,
    ],
    ["a class", Kernels, /Kernels cannot be a kernel: it is a class/],
    ["a generator", holder.generates, /generates cannot be a kernel: it is a generator/],
  ];
  it.each(refused)("is refused with the reason: %s", (_, kernel, reason) => {
    expect(() => moduleOfFunction(kernel as AnyKernel)).toThrow(reason);
  });
});
