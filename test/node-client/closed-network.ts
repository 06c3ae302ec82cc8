/** Prints which ways to the network the handles of Node's sockets have, after they were closed if the argument says so. */
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { closeNetwork } from "../../node-client/sandbox/network-handles.ts";

if (process.argv[2] === "closed") closeNetwork();
const stream = connect({ host: "127.0.0.1", port: 9 });
const datagrams = createSocket("udp4");
const state = Object.getOwnPropertySymbols(datagrams)
  .map((key) => Reflect.get(datagrams, key) as { handle?: object } | undefined)
  .find((value) => value?.handle);
const handles = { stream: Reflect.get(stream, "_handle") as object, datagrams: state?.handle ?? {} };
stream.destroy();
datagrams.close();
const ways = Object.entries(handles).map(([name, handle]) => [
  name,
  ["bind", "connect", "listen", "open", "send"].filter((way) => Reflect.has(handle, way)),
]);
process.send?.(Object.fromEntries(ways), () => process.exit());
