/** Whether `--permission` refuses the network: since Node 25. */
export const permissionsKnowNetwork = process.allowedNodeEnvironmentFlags.has("--allow-net");

const ways = ["connect", "connect6", "bind", "bind6", "listen", "open", "send", "send6", "recvStart"];

/**
 * Takes every way to the network from the handles under Node's sockets. Where the permission model does not know the network, this is
 * the wall behind the refused imports.
 *
 * @throws Error when a kind of handle is not found, so that no sandbox begins without this wall
 */
export function closeNetwork(): void {
  const stream = process.getBuiltinModule("node:net").connect({ host: "127.0.0.1", port: 9 });
  const datagrams = process.getBuiltinModule("node:dgram").createSocket("udp4");
  const handles = [handleOf(stream), valuesOf(datagrams).map(handleOf).find(Boolean), ...channels()];
  // The stream would connect in the next tick.
  stream.destroy();
  datagrams.close();
  if (handles.length !== 3) throw new Error("The channel to the client is none of Node's pipes.");
  for (const handle of handles) {
    if (!handle) throw new Error("Node's sockets have no handle.");
    const prototype = Object.getPrototypeOf(handle) as object;
    for (const way of ways) if (!Reflect.deleteProperty(prototype, way)) throw new Error(`${way} stays.`);
  }
}

/** The pipe to the client. */
function channels(): object[] {
  const symbol = Object.getOwnPropertySymbols(process).find((key) => String(key).includes("kChannelHandle"));
  const channel: unknown = symbol && Reflect.get(process, symbol);
  return typeof channel === "object" && channel ? [channel] : [];
}

function valuesOf(owner: object): unknown[] {
  return Object.getOwnPropertySymbols(owner).map((key): unknown => Reflect.get(owner, key));
}

function handleOf(owner: unknown): object | undefined {
  if (typeof owner !== "object" || owner === null) return undefined;
  for (const name of ["_handle", "handle"]) {
    const handle: unknown = Reflect.get(owner, name);
    if (typeof handle === "object" && handle) return handle;
  }
  return undefined;
}
