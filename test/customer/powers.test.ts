import { expect, test } from "vitest";
import { portablePowers } from "../../customer/kernel/powers.ts";

/** Runs a kernel on the input 3. @returns its output, and the number of calls of `Math.pow` */
async function run(kernel: string): Promise<{ output: unknown; powers: number }> {
  const source = await portablePowers(
    `${kernel}\nexport const powers = () => count;\nlet count = 0;\nconst pow = Math.pow;\nMath.pow = (x, y) => { count++; return pow(x, y); };`,
  );
  const module = (await import(
    /* @vite-ignore */ `data:text/javascript;base64,${Buffer.from(source).toString("base64")}`
  )) as { default: (x: number) => unknown; powers: () => number };
  const pow = Math.pow;
  try {
    return { output: module.default(3), powers: module.powers() };
  } finally {
    Math.pow = pow;
  }
}

test.each([
  ["(x) => x ** 2", 9, 1],
  ["(x) => x ** x ** 2", 3 ** 9, 2],
  ["(x) => (x + 1) ** (x - 1) + (x ** 2) ** 2", 16 + 81, 3],
  ["(x) => { x **= 2; return x; }", 9, 1],
  ["(x) => { const o = { p: [x] }; o.p[0] **= x - 1; return o.p[0]; }", 9, 1],
  ["(x) => x /* ** */ ** /* ** */ 2 // **", 9, 1],
  ["(x) => `${x ** 2} ** ${'a ** b'}` + /[**]/.source", "9 ** a ** b[**]", 1],
  ["async (x) => x ** await 2", Promise.resolve(9), 0],
  ["(x) => [1, 2].map((y) => (x ** y) * -(2 ** y))", [-6, -36], 4],
])("[BITS-1] %s", async (kernel, output, powers) => {
  const found = await run(`export default ${kernel};`);
  expect(await found.output).toEqual(await output);
  expect(found.powers).toBe(powers);
});

test("[BITS-1] BigInts, code without powers and line numbers stay as they are", async () => {
  expect((await run("export default (x) => BigInt(x) ** 40n;")).output).toBe(3n ** 40n);
  for (const source of ["export default (x) => x * x;\n", "/** Squares. */\nexport default (x) => x * x;\n"])
    expect(await portablePowers(source)).toBe(source);
  const lines = (await portablePowers("export default (x) =>\n  x **\n  2;\n")).split("\n");
  expect(lines.slice(0, 3)).toHaveLength(3);
  expect(lines[2]).toContain("2");
});

test("[BITS-1] a left side that would be computed twice is refused by its text", async () => {
  await expect(portablePowers("export default (x) => { next().y **= x; };")).rejects.toThrow(
    /next\(\)\.y \*\*=/,
  );
});
