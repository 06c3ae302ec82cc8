import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/**
 * A balancer that gives each connection to the next server in turn, as `mode tcp` and `balance roundrobin` of haproxy; it ends with the test.
 * A server that does not answer is left out.
 *
 * @returns its address, and the number of connections that each server got
 */
export async function startBalancer(
  servers: readonly { readonly port: number }[],
): Promise<{ url: string; counts: number[] }> {
  const counts = servers.map(() => 0);
  let next = 0;
  const balancer = createServer((from) => {
    const at = next++ % servers.length;
    const to = connect(servers[at]!.port, "127.0.0.1");
    counts[at]!++;
    from.pipe(to).pipe(from);
    from.on("error", () => to.destroy()).on("close", () => to.destroy());
    to.on("error", () => from.destroy()).on("close", () => from.destroy());
  });
  balancer.listen(0, "127.0.0.1");
  await once(balancer, "listening");
  onTestFinished(() => void balancer.close());
  return { url: `http://127.0.0.1:${(balancer.address() as AddressInfo).port}`, counts };
}
