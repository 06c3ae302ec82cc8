import type { KernelContext } from "../../../shared/wire/kernel.ts";

export default async function sorted(lines: string[], ctx: KernelContext): Promise<string[]> {
  const stdin = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
  const { stdout } = await ctx.command({ stdin });
  return new TextDecoder().decode(stdout).trim().split("\n");
}
