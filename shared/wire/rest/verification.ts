import * as v from "valibot";
import { limits } from "../../limits.ts";
import { integer } from "./fields.ts";
import type { Requirements } from "./requirements.ts";

export const verifySchema = v.union([
  v.picklist(["off", "audit", "trusted"]),
  v.strictObject({ quorum: integer(2, limits.maxQuorum) }),
]);
/**
 * Verification of the results of strangers. `off`: none. `audit`: some of them are computed again by trusted clients. `{quorum: n}`: n
 * cohorts have to give agreeing results. `trusted`: strangers get no task.
 */
export type Verify = v.InferOutput<typeof verifySchema>;

const tolerance = v.optional(v.pipe(v.number(), v.finite(), v.minValue(0)));
export const compareSchema = v.union([
  v.picklist(["bits", "kernel"]),
  v.strictObject({ abs: tolerance, rel: tolerance, norm: tolerance }),
]);
/**
 * Condition on which two results agree. `bits`: they have the same bytes. `{abs, rel, norm}`: they have the same form, and numbers a and b in one place
 * differ by at most `max(abs, rel · max(|a|, |b|), norm · m)`, where m is the largest magnitude in their array. `kernel`: the kernel module's
 * `compare(a, b)` says so.
 */
export type Compare = v.InferOutput<typeof compareSchema>;

/**
 * Tolerance of results that graphics processors compute (SPEC.md [GPU-4]): WGSL permits an error of 2⁻¹¹ in `sin` and `cos`, and sums in any order
 * (https://www.w3.org/TR/WGSL/#floating-point-accuracy).
 */
const graphicsTolerance = { rel: 1e-3, norm: 1e-3 } as const satisfies Compare;

/** The condition of a job whose customer gives none. */
export function usualCompare({ webgpu }: Requirements): Compare {
  return webgpu ? graphicsTolerance : "bits";
}

/** The body of `PUT /api/jobs/{id}/verify`; an absent option stays as it is. */
export const setVerifySchema = v.strictObject({
  verify: v.optional(verifySchema),
  compare: v.optional(compareSchema),
});
export type SetVerify = v.InferOutput<typeof setVerifySchema>;

/** The verification of a job's results of strangers so far, in numbers. */
export const statementSchema = v.object({
  /** Accepted results of strangers. */
  strangers: v.number(),
  /** Results of strangers that agreed with an audit, or with a quorum of other cohorts. */
  audited: v.number(),
  /** Accepted results of strangers that nobody there could have audited; they are not part of the sample behind `audited`. */
  unverified: v.number(),
  /** Results of strangers that `check` looked at. */
  checked: v.number(),
  /** Results of strangers that were found wrong. */
  wrong: v.number(),
  /** Results that were withdrawn; their tasks were computed again. */
  withdrawn: v.number(),
  /** Cohorts disagree with trusted clients, so that only trusted clients compute the job. */
  irreproducible: v.boolean(),
});
export type Statement = v.InferOutput<typeof statementSchema>;
