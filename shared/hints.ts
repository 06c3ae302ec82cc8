/**
 * Remedies for single cases of an error code, where the row of the code is too general. They are not in the table, because the
 * volunteer page needs none of them.
 */
export const hints = {
  job: "Check the id; `manyhands jobs` lists the jobs that exist.",
  client: "Check the id; `manyhands clients` lists the clients that are here.",
  token: "Check the id; `manyhands token list` shows the tokens.",
  ban: "Check the name; `manyhands bans` lists who is refused.",
  blob: "Put the bytes first: `manyhands put FILE`, or PUT /api/blobs/{sha256}.",
  largeBlob: "Read it in pieces: hands.stream(reference), or hands.get(reference.slice(from, to)).",
  priority: "Lower the priority, or ask the server's administrator to raise the job's.",
  host: "Open the server by its own address, or start it with --allow-host NAME or --public-url URL.",
  elements:
    'Send arrays of numbers as {"$array": "Float32Array", "base64": …}, tasks as lines of NDJSON, and large data as a blob with a data reference.',
  kernel: "Post the kernel first: POST /api/kernels.",
  dataDirectory:
    "Bring the data directory back as it was, from a backup if need be, and start the server again.",
  damaged:
    "Restore the data directory from a backup (`manyhands restore`), or submit what the message names again; all else is as it was.",
  restored:
    "Start the program again: with the same key it goes on with the job, and reads the results from the first on.",
  server: "Check that a Manyhands server answers at this address, and that nothing in front of it refuses.",
  address: "Check the address; GET /api/openapi.json describes them all.",
  defectHere: "This is a defect of Manyhands; with MANYHANDS_DEBUG=1 in the environment it says where.",
} as const;
