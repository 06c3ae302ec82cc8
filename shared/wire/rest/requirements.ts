import * as v from "valibot";
import { limits } from "../../limits.ts";
import { commandNameSchema } from "../command-name.ts";
import { integer } from "./fields.ts";

/** Demands on the clients that may run a job. */
export const requirementsSchema = v.strictObject({
  kind: v.optional(v.picklist(["browser", "node"])),
  /** Memory in MB that a slot of the client must have. */
  memoryMb: v.optional(integer(0, limits.maxMemoryMb)),
  webgpu: v.optional(v.boolean()),
  /** Only clients that joined with a client token, no volunteers. */
  trusted: v.optional(v.boolean()),
  /** Only trusted clients whose owner allows this command, which the kernel may then run (`ctx.command`). */
  command: v.optional(commandNameSchema),
});
export type Requirements = v.InferOutput<typeof requirementsSchema>;
