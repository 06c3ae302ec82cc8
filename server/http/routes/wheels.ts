import { PlatformError } from "../../../shared/errors.ts";
import { wheelBytes, wheelFileSchema } from "../../../shared/wheel.ts";
import type { WheelInfo } from "../../../shared/wire/wheels.ts";
import type { StoredWheel, WheelFolder } from "../../wheel-folder.ts";
import { check, readBody } from "../body.ts";
import type { Call, HttpParts, Routes } from "../context.ts";
import { parameter, reply } from "../reply.ts";

type Names =
  | "GET /api/runtime/wheels"
  | "GET /api/runtime/wheels/{file}"
  | "PUT /api/runtime/wheels/{file}"
  | "DELETE /api/runtime/wheels/{file}";

/** Packages for functions in Python, which the operator puts into the server. */
export function wheelRoutes({ wheels, customerCode }: HttpParts): Routes<Names> {
  const folder = (): WheelFolder => {
    if (wheels) return wheels;
    throw new PlatformError("WRONG_STATE", "This server keeps nothing on a disk of its own.");
  };
  return {
    "GET /api/runtime/wheels": async (call) => reply(call, ((await wheels?.list()) ?? []).map(told)),
    "GET /api/runtime/wheels/{file}": async (call) => {
      const { path } = await folder().get(fileOf(call));
      call.res
        .set("Cache-Control", "no-cache")
        .type("application/octet-stream")
        .sendFile(path, { dotfiles: "allow" });
    },
    "PUT /api/runtime/wheels/{file}": async (call) => {
      const file = fileOf(call);
      const bytes = await readBody(call.req, call.res, wheelBytes);
      await customerCode?.checkWheel(file);
      const added = await folder().add(file, bytes);
      await call.note(file);
      reply(call, told(added), 201);
    },
    "DELETE /api/runtime/wheels/{file}": async (call) => {
      const file = fileOf(call);
      await folder().remove(file);
      await call.note(file);
      call.res.status(204).end();
    },
  };
}

function told(wheel: StoredWheel): WheelInfo {
  const { path: _, ...info } = wheel;
  return info;
}

function fileOf(call: Call): string {
  return check(wheelFileSchema, parameter(call, "file"), "address");
}
