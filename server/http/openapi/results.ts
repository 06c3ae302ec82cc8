import type { RouteName } from "../../access/rules.ts";
import type { Operation } from "./operation.ts";

const resultQuery = [
  {
    name: "after",
    in: "query",
    schema: { type: "integer", minimum: 0, default: 0 },
    description: "Only results with a greater sequence number: how a reader goes on after a cut.",
  },
  {
    name: "follow",
    in: "query",
    schema: { type: "string", enum: ["0", "1"], default: "0" },
    description: "1: wait for what comes and end with the `end` item when the job has ended.",
  },
];

const formatQuery = [
  {
    name: "format",
    in: "query",
    schema: { type: "string", enum: ["ndjson", "msgpack"] },
    description: "The form of a download, for links that cannot say Accept: the reply is then a file.",
  },
];

export const resultOperations = {
  "GET /api/jobs/{id}/provisional": {
    id: "readProvisional",
    summary: "Results of volunteers that are not accepted yet, lowest index first",
    description:
      "NDJSON. Any of them may be wrong, and may be withdrawn. A task may have several; an output that cannot be read has a `message` instead. With `follow` the reply begins with `snapshot`, the present results and `current`; then come later results, `accepted` and `withdrawn` for each, and `current` with each batch, until `end`, when the job has ended. The same result (index and client) may come again before its notice, and a notice for a result that did not come: skip both. After a cut, or after another `snapshot` for a reader that was behind, a result that came before and is not there at `current` is over, and so is one without a notice at `end`: it was accepted if the results after the `seq` of the `current` before have its output for its task, else withdrawn. A blank line every 3.5 s is a sign of life; skip it. Compressed with gzip for `Accept-Encoding: gzip`.",
    query: [
      {
        name: "after",
        in: "query",
        schema: { type: "integer", minimum: 0 },
        description: "Only results of tasks with a greater index.",
      },
      {
        name: "follow",
        in: "query",
        schema: { type: "string", enum: ["0", "1"], default: "0" },
        description: "1: go on with what comes and what becomes of it, until the job has ended.",
      },
    ],
    replies: {
      200: {
        description: "The present ones (`provisional` only), or with `follow` all lines.",
        content: { "application/x-ndjson": { of: "FollowedProvisional" } },
      },
    },
  },
  "GET /api/jobs/{id}/results": {
    id: "readResults",
    summary: "Accepted results in order of completion",
    description:
      "As NDJSON, as a MessagePack stream, or (not while following) as one JSON array, by Accept. In JSON an output is the JSON form of its value, whatever its size; one that cannot be read is a failed result. While nothing happens a blank line (MessagePack: nil) is sent every 3.5 s; skip it. As packs, `application/x-manyhands-results`: frames of a length (four bytes, highest first) and that many bytes of MessagePack, `ResultFrame`; an empty frame is the sign of life. A reply that breaks off is not whole: go on with `after`. Compressed with gzip, while it comes, for `Accept-Encoding: gzip` (curl: `--compressed`).",
    query: [...resultQuery, ...formatQuery],
    replies: {
      200: {
        description: "Results so far, or all of them.",
        content: {
          "application/x-ndjson": { of: "ResultLine" },
          "application/x-msgpack": { of: "ResultLine" },
          "application/json": { of: "ResultLine", many: true },
          "application/x-manyhands-results": { of: "ResultFrame" },
        },
      },
    },
  },
} satisfies Partial<Record<RouteName, Operation>>;
