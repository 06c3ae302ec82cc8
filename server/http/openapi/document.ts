import { toJsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";
import { jobIdSchema, sha256Schema, taskIndexSchema } from "../../../shared/ids.ts";
import { attachmentNameSchema } from "../../../shared/wire/rest/attachments.ts";
import { groupSchema } from "../../../shared/wire/rest/job-options.ts";
import { wheelFileSchema } from "../../../shared/wheel.ts";
import { version } from "../../../shared/version.ts";
import { routeNames, rules, type RouteName } from "../../access/rules.ts";
import type { Content, Operation } from "./operation.ts";
import { operations } from "./operations.ts";
import { sent, taken } from "./schemas.ts";

const parameters: Record<string, v.GenericSchema> = {
  "/api/jobs/{id}": jobIdSchema,
  "/api/jobs/{id}/tasks/{index}": taskIndexSchema,
  "/api/jobs/{id}/attachments/{name}": attachmentNameSchema,
  "/api/runtime/wheels/{file}": wheelFileSchema,
  "/api/groups/{group}": groupSchema,
  "/api/blobs/{sha256}": sha256Schema,
  "/api/kernels/{sha256}": sha256Schema,
};

let made: Record<string, unknown> | undefined;

/** The OpenAPI 3.1 document of the REST interface, made from the same schemas that check requests. */
export function openApiDocument(): Record<string, unknown> {
  return (made ??= {
    openapi: "3.1.0",
    info: {
      title: "Manyhands",
      version,
      description:
        "Submit jobs, stream results, keep data. Values stand in JSON as shared/wire/codec.ts writes them; in MessagePack bodies they are opaque bytes. Refusals all have one form, `Error`.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    paths: paths(),
    components: {
      schemas: {
        ...schemasOf(sent, "output"),
        ...schemasOf(taken, "input"),
      },
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "A token, or a connected client's ticket." },
      },
    },
  });
}

function schemasOf(schemas: Record<string, v.GenericSchema>, typeMode: "input" | "output"): object {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, jsonSchema(schema, typeMode)]),
  );
}

function jsonSchema(schema: v.GenericSchema, typeMode: "input" | "output"): object {
  // JSON Schema cannot express bytes and checks across fields, which the server checks itself.
  const { $schema, ...rest } = toJsonSchema(schema, {
    errorMode: "ignore",
    target: "draft-2020-12",
    typeMode,
  });
  void $schema;
  return rest;
}

function paths(): Record<string, Record<string, unknown>> {
  const all: Record<string, Record<string, unknown>> = {};
  for (const name of routeNames) {
    const at = name.indexOf(" ");
    const path = name.slice(at + 1);
    (all[path] ??= {})[name.slice(0, at).toLowerCase()] = describe(name, path, operations[name]);
  }
  return all;
}

function describe(name: RouteName, path: string, operation: Operation): object {
  const rule = rules[name];
  const who = rule === "open" ? "Open to all." : `For: ${rule.join(", ")}.`;
  return {
    operationId: operation.id,
    summary: operation.summary,
    description: [operation.description, who].filter(Boolean).join(" "),
    security: rule === "open" ? [] : [{ token: [] }],
    parameters: [...pathParameters(path), ...(operation.query ?? []), ...(operation.headers ?? [])],
    ...(operation.body && {
      requestBody: { required: operation.bodyRequired ?? true, content: contentOf(operation.body) },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(operation.replies).map(([status, { description, content }]) => [
          status,
          { description, ...(content && { content: contentOf(content) }) },
        ]),
      ),
      default: {
        description: "A refusal: what was wrong, what was expected, what to do.",
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}

function pathParameters(path: string): object[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => {
    const known = Object.entries(parameters).find(
      ([prefix]) => path.startsWith(prefix) && prefix.endsWith(`{${name}}`),
    );
    const schema = known ? jsonSchema(known[1], "input") : { type: "string", minLength: 1 };
    return { name, in: "path", required: true, schema };
  });
}

function contentOf(content: Content): object {
  return Object.fromEntries(
    Object.entries(content).map(([type, form]) => [type, { schema: schemaOf(form) }]),
  );
}

function schemaOf(form: Content[string]): object {
  if (form === "bytes") return {};
  if (form === "text") return { type: "string" };
  const ref = { $ref: `#/components/schemas/${form.of}` };
  return form.many ? { type: "array", items: ref } : ref;
}
