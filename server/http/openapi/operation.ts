import type { SchemaName } from "./schemas.ts";

/** Bodies by content type. For NDJSON and MessagePack streams `of` is an item. */
export type Content = Record<string, "bytes" | "text" | { readonly of: SchemaName; readonly many?: boolean }>;

/** A route's entry in the OpenAPI document beside its rule and its path parameters. */
export interface Operation {
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  readonly query?: readonly object[];
  readonly headers?: readonly object[];
  readonly body?: Content;
  readonly bodyRequired?: boolean;
  readonly replies: Record<number, { readonly description: string; readonly content?: Content }>;
}

export const either = (of: SchemaName, many = false): Content => ({
  "application/json": { of, many },
  "application/x-msgpack": { of, many },
});

export const ok = (of: SchemaName, many = false) => ({
  200: { description: "OK", content: either(of, many) },
});

export const made = (of: SchemaName) => ({
  200: { description: "It was there already.", content: either(of) },
  201: { description: "Made.", content: either(of) },
});

export const done = { 204: { description: "Done." } };

export const bytes: Content = { "application/octet-stream": "bytes" };

/** Clients and log lines are those of the server that is asked, when there are several. */
export const serversQuery = [
  {
    name: "of",
    in: "query",
    schema: { type: "string", enum: ["all", "own"], default: "all" },
    description:
      "Of several servers: all, or the one that answers. The header `Manyhands-Unanswered` names servers that did not answer within 2 s.",
  },
];
