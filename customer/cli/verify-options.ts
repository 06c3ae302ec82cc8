import { InvalidArgumentError, type Command } from "commander";
import { limits } from "../../shared/limits.ts";
import type { Compare, SetVerify, Verify } from "../../shared/wire/rest/verification.ts";

/** Adds the options that say how results of volunteers are verified. */
export function verifyOptions(command: Command): Command {
  return command
    .option(
      "--verify <how>",
      `how results of volunteers are verified: audit (some are computed again), quorum:N (N have to agree, up to ${limits.maxQuorum}), trusted (volunteers get no task), off`,
      parseVerify,
    )
    .option(
      "--compare <how>",
      "when two results agree: bits, a tolerance such as abs=1e-9,rel=1e-6,norm=1e-6 (norm: of the largest number of an array), or kernel (the module's compare); bits unless told otherwise, of jobs that need WebGPU rel=1e-3,norm=1e-3",
      parseCompare,
    );
}

/** The options of {@link verifyOptions} that were given. */
export function givenVerify({ verify, compare }: SetVerify): SetVerify {
  return { ...(verify !== undefined && { verify }), ...(compare !== undefined && { compare }) };
}

function parseVerify(text: string): Verify {
  if (text === "audit" || text === "trusted" || text === "off") return text;
  const quorum = Number(/^quorum:(\d)$/.exec(text)?.[1]);
  if (quorum >= 2 && quorum <= limits.maxQuorum) return { quorum };
  throw new InvalidArgumentError(`expected audit, trusted, off, or quorum:2 to quorum:${limits.maxQuorum}`);
}

function parseCompare(text: string): Compare {
  if (text === "bits" || text === "kernel") return text;
  const tolerance: { abs?: number; rel?: number; norm?: number } = {};
  for (const part of text.split(",")) {
    const [, name, number] = /^(abs|rel|norm)=(.+)$/.exec(part) ?? [];
    const value = Number(number);
    if (!name || !Number.isFinite(value) || value < 0 || name in tolerance)
      throw new InvalidArgumentError("expected bits, kernel, or a tolerance such as abs=1e-9,rel=1e-6");
    tolerance[name as keyof typeof tolerance] = value;
  }
  return tolerance;
}
