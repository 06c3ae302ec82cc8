import { limits } from "../../../shared/limits.ts";
import { ownBlobHeader } from "../../../shared/wire/rest/blobs.ts";
import type { RouteName } from "../../access/rules.ts";
import { bytes, done, either, made, serversQuery, type Operation } from "./operation.ts";

const blobReplies = {
  200: {
    description:
      "The whole blob, compressed with gzip for `Accept-Encoding: gzip` when that makes it smaller. ETag is its SHA-256; it never changes.",
    content: bytes,
  },
  206: { description: "The range asked for.", content: bytes },
  304: { description: "If-None-Match names it: nothing is sent." },
};

const directQuery = [
  {
    name: "direct",
    in: "query",
    schema: { type: "string", enum: ["0", "1"], default: "0" },
    description: "1: the server may say where the bytes are (307) instead of sending them.",
  },
  {
    name: "gzip",
    in: "query",
    schema: { type: "string", enum: ["0", "1"], default: "0" },
    description: "1: with a client's ticket `Accept-Encoding: gzip` counts. With a token it always does.",
  },
];

const blobHeaders = [
  { name: "Range", in: "header", schema: { type: "string" }, description: "One range, `bytes=FIRST-LAST`." },
  { name: "If-None-Match", in: "header", schema: { type: "string" } },
];

const uploadHeader = (name: string, description: string, pattern = "^[0-9]+$") => ({
  name,
  in: "header",
  schema: { type: "string", pattern },
  description,
});

const uploadHeaders = [
  uploadHeader(
    "Upload-Complete",
    "?1: the upload ends with this request, ?0: a PATCH follows. What comes of either is kept when the connection breaks.",
    "^[?][01]$",
  ),
  uploadHeader("Upload-Length", "Bytes of the whole upload."),
  {
    name: "Content-Encoding",
    in: "header",
    schema: { type: "string", enum: ["gzip"] },
    description:
      "With Upload-Complete and Upload-Length: the body is a gzip of its own. Numbers are of the inflated bytes.",
  },
];

export const blobOperations = {
  "PUT /api/blobs/{sha256}": {
    id: "putBlob",
    summary: "Store bytes under their SHA-256",
    description:
      "Whoever sends all bytes has the blob; 200 when the caller has it already. A connected client uploads what its tasks produce.",
    headers: uploadHeaders,
    body: { "*/*": "bytes" },
    replies: { ...made("BlobName"), 204: { description: "Taken, and more follows by PATCH to Location." } },
  },
  "GET /api/blobs/{sha256}": {
    id: "getBlob",
    summary: "The bytes of a blob or kernel",
    query: directQuery,
    headers: blobHeaders,
    replies: {
      ...blobReplies,
      307: {
        description:
          "Location is an address under which anybody gets the blob, or a range of it, for ten minutes. Send no token there.",
      },
    },
  },
  "HEAD /api/blobs/{sha256}": {
    id: "headBlob",
    summary: "Whether the caller may read a blob, and its size",
    description: `${ownBlobHeader} in the reply: the caller has it and need not put it. An admin may read those of others too.`,
    headers: blobHeaders,
    replies: {
      200: { description: "It is here." },
      206: { description: "The range is." },
      304: blobReplies[304],
    },
  },
  "DELETE /api/blobs/{sha256}": {
    id: "deleteBlob",
    summary: "Give up a blob that no job of the caller refers to",
    description: "The bytes go when no other customer has them. An admin's: from every customer.",
    replies: done,
  },
  "GET /api/blobs/{sha256}/chunks": {
    id: "readBlobChunks",
    summary: "SHA-256 of each chunk of a blob, for whoever reads ranges of it",
    description:
      "Digests of 32 bytes, one after another, of the chunks of X-Chunk-Bytes bytes that start at 0 (the last may be shorter). Computed together with the hash of the whole blob: they are those of the bytes that the blob's name stands for. A reader who trusts this server can check any range that consists of chunks.",
    query: [
      {
        name: "bytes",
        in: "query",
        schema: { type: "string", enum: [String(limits.chunkBytes), String(limits.formerChunkBytes)] },
        description: `Size of the chunks; ${limits.formerChunkBytes} when absent, of which the digests are computed each time.`,
      },
    ],
    replies: { 200: { description: "The digests.", content: bytes } },
  },
  "HEAD /api/blobs/{sha256}/upload": {
    id: "headUpload",
    summary: "How much of the caller's upload is here",
    description:
      "Upload-Offset is the next byte to send; with Upload-Complete: ?1 the caller has the blob. 0: begin with a PUT. A connection that still brings bytes of this upload is cut.",
    replies: { 204: { description: "The headers tell it." } },
  },
  "PATCH /api/blobs/{sha256}/upload": {
    id: "resumeUpload",
    summary: "Go on with an upload",
    description:
      "After a PUT with Upload-Complete that broke off or was not the last. As in draft-ietf-httpbis-resumable-upload; CONFLICT with Upload-Offset when another byte is next.",
    headers: [...uploadHeaders, uploadHeader("Upload-Offset", "Bytes that the server has.")],
    body: { "application/partial-upload": "bytes" },
    replies: { ...made("BlobName"), 204: { description: "Taken; Upload-Offset is the next byte." } },
  },
  "POST /api/precache": {
    id: "precache",
    summary: "Have data in clients' caches before tasks need it",
    description:
      "The precache stands as long as this request: connected clients (of several servers: those of all) fetch the data in the background, and so do those that join; the reply is NDJSON, a line now and one with each change (at most four a second), the last one with `done`. With `stay` it goes on after that. End the request to end the precache; what clients have stays in their caches as any data does. The blobs are kept meanwhile. A client whose cache is too small is counted in `short`. A blob that is not here: NOT_FOUND.",
    query: serversQuery,
    body: either("Precache"),
    replies: {
      200: { description: "How it goes.", content: { "application/x-ndjson": { of: "PrecacheProgress" } } },
    },
  },
} satisfies Partial<Record<RouteName, Operation>>;
