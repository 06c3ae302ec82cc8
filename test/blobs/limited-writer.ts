/** A process that writes so many bytes with one write and prints the code of the failed write: `node limited-writer.ts FILE BYTES`. */
import { open } from "node:fs/promises";
import { BatchedWriter } from "../../server/blobs/batched-writer.ts";

const [path = "", bytes = ""] = process.argv.slice(2);
const writer = new BatchedWriter(open(path, "wx"));
try {
  await writer.write(new Uint8Array(Number(bytes)));
  await writer.end();
  console.log("written");
} catch (error) {
  console.log((error as NodeJS.ErrnoException).code);
  await writer.abandon();
}
