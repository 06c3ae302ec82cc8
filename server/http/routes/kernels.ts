import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { blobNameSchema } from "../../../shared/data-reference.ts";
import { PlatformError } from "../../../shared/errors.ts";
import { hints } from "../../../shared/hints.ts";
import type { Sha256 } from "../../../shared/ids.ts";
import { limits } from "../../../shared/limits.ts";
import { commandNameSchema } from "../../../shared/wire/command-name.ts";
import { commandKernelSchema } from "../../../shared/wire/command-kernel.ts";
import { pythonProgramSchema } from "../../../shared/wire/python-program.ts";
import { contentTypes } from "../../../shared/wire/rest/content-types.ts";
import { bodyType, parseBody, readBody } from "../body.ts";
import type { Call, HttpParts, Routes } from "../context.ts";
import { principalOf, visibleTo } from "../ownership.ts";
import { hashOf, reply } from "../reply.ts";

type Names =
  | "POST /api/kernels"
  | "POST /api/kernels/python"
  | "POST /api/kernels/command"
  | "GET /api/kernels"
  | "GET /api/kernels/{sha256}"
  | "DELETE /api/kernels/{sha256}";

/** Body of `POST /api/kernels` in JSON. */
export const postKernelSchema = v.strictObject({
  source: v.pipe(v.string(), v.minLength(1), v.maxLength(limits.kernelBytes)),
});

/** Body of `POST /api/kernels/python`. */
export const pythonKernelSchema = v.strictObject({
  ...pythonProgramSchema.entries,
  /** The files of Python travel in the kernel, for a job whose tasks can name no blobs: one that takes the outputs of another. */
  embed: v.optional(v.boolean(), false),
  /** A command of clients whose own Python computes the function; the job requires it. */
  on: v.optional(commandNameSchema),
});

/** Reply of `POST /api/kernels/python`: the kernel, and the blobs that each task of its jobs has to name. */
export const pythonKernelInfoSchema = v.object({
  ...blobNameSchema.entries,
  refs: v.array(blobNameSchema),
  /** Imports of the program that no wheel of this server has. */
  missing: v.array(v.string()),
});

const scriptTypes = ["text/javascript", "application/javascript"] as const;
/** JSON escapes at most double an ordinary source. */
const jsonKernelBytes = limits.kernelBytes * 2;

/** Kernels: code by hash, each customer's own. */
export function kernelRoutes({ platform, blobs, customerCode, wheels }: HttpParts): Routes<Names> {
  return {
    "POST /api/kernels": async (call) => {
      const { sha256, size, created } = await platform.putKernel(
        await sourceOf(call),
        principalOf(call).name,
      );
      reply(call, { sha256, size }, created ? 201 : 200);
    },
    "POST /api/kernels/python": async (call) => {
      const { embed, on, ...program } = await parseBody(
        call.req,
        call.res,
        pythonKernelSchema,
        jsonKernelBytes,
      );
      if (!customerCode)
        throw new PlatformError("NOT_FOUND", "This server makes no kernels of functions in Python.");
      const available = ((await wheels?.list()) ?? []).map((wheel) => ({
        ...wheel,
        read: () => readFile(wheel.path),
      }));
      const { source, refs, missing } = await customerCode.pythonKernel(program, embed, available, on);
      const customer = principalOf(call).name;
      for (const { sha256, size, path } of refs) {
        if (path === undefined) continue;
        const file = createReadStream(path);
        await blobs.write(sha256, file, { customer }, size).finally(() => file.destroy());
      }
      const { sha256, size, created } = await platform.putKernel(Buffer.from(source), customer);
      const named = refs.map((ref) => ({ sha256: ref.sha256, size: ref.size }));
      reply(call, { sha256, size, refs: named, missing }, created ? 201 : 200);
    },
    "POST /api/kernels/command": async (call) => {
      const definition = await parseBody(call.req, call.res, commandKernelSchema, jsonKernelBytes);
      if (!customerCode) throw new PlatformError("NOT_FOUND", "This server makes no kernels of commands.");
      const source = await customerCode.commandKernel(definition);
      const made = await platform.putKernel(Buffer.from(source), principalOf(call).name);
      reply(call, { sha256: made.sha256, size: made.size }, made.created ? 201 : 200);
    },
    "GET /api/kernels": async (call) => reply(call, await platform.kernels(customerOf(call))),
    "DELETE /api/kernels/{sha256}": async (call) => {
      const sha256 = hashOf(call);
      if (!(await platform.deleteKernel(sha256, customerOf(call)))) throw unknownKernel(sha256);
      call.res.status(204).end();
    },
    "GET /api/kernels/{sha256}": async (call) => {
      const sha256 = hashOf(call);
      const source = await platform.kernel(sha256, customerOf(call));
      if (!source) throw unknownKernel(sha256);
      call.res.set({
        "Content-Type": "text/javascript; charset=utf-8",
        "Cache-Control": "private, max-age=31536000, immutable",
        ETag: `"${sha256}"`,
      });
      call.res.send(Buffer.from(source));
    },
  };
}

function customerOf(call: Call): string | undefined {
  return visibleTo(principalOf(call))?.customer;
}

function unknownKernel(sha256: Sha256): PlatformError {
  return new PlatformError("NOT_FOUND", `There is no kernel ${sha256}.`, undefined, hints.kernel);
}

async function sourceOf({ req, res }: Call): Promise<Uint8Array> {
  const type = bodyType(req, [...scriptTypes, contentTypes.json, contentTypes.msgpack]);
  const isScript = scriptTypes.some((script) => script === type);
  const bytes = isScript
    ? await readBody(req, res, limits.kernelBytes)
    : Buffer.from((await parseBody(req, res, postKernelSchema, jsonKernelBytes)).source);
  if (bytes.length > 0 && bytes.length <= limits.kernelBytes) return bytes;
  throw new PlatformError(
    bytes.length > 0 ? "TOO_LARGE" : "BAD_REQUEST",
    `The kernel has ${bytes.length} bytes; expected 1 to ${limits.kernelBytes}.`,
  );
}
