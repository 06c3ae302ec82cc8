/** A process that claims three tasks and, at each line of standard input, completes one: `node postgres-holder.ts URL TTL`. */
import { createInterface } from "node:readline";
import { PlatformError } from "../../shared/errors.ts";
import { openPostgresStore } from "../../server/store/postgres/open.ts";
import { done, jobId } from "../contract/store-fixtures.ts";

const [, , url = "", timeToLiveMs] = process.argv;
const store = await openPostgresStore(url, { timeToLiveMs: Number(timeToLiveMs), name: "holder" });
store.onFenced(() => console.log("fenced"));
console.log(`claimed ${(await store.claim(jobId(1), 3)).map(({ index }) => index).join(" ")}`);
for await (const line of createInterface(process.stdin))
  try {
    const { accepted } = await store.complete(jobId(1), [done(Number(line))]);
    console.log(`accepted ${accepted.join(" ")}`);
  } catch (error) {
    console.log(PlatformError.from(error).code);
  }
