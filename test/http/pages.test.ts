import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { join } from "node:path";
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { temporaryDirectory } from "../support/processes.ts";

const script = "const a = 1 < 2;\npostMessage(a);";
const bundle = `export const words = "${"many hands ".repeat(500)}";`;

async function site(): Promise<HttpServer> {
  const root = await temporaryDirectory();
  await mkdir(join(root, "assets"));
  await writeFile(join(root, "index.html"), "<!doctype html><title>volunteer</title>");
  await writeFile(join(root, "admin.html"), "<!doctype html><title>admin</title>");
  await writeFile(join(root, "sandbox.html"), `<!doctype html><script>${script}</script>`);
  await writeFile(join(root, "arbiter.js"), "onconnect = () => 0;");
  const asset = join(root, "assets", "page-abc123.js");
  await writeFile(asset, bundle);
  await writeFile(`${asset}.br`, brotliCompressSync(bundle));
  await writeFile(`${asset}.gz`, gzipSync(bundle));
  await writeFile(join(root, "assets", "logo.png"), Buffer.from([137, 80]));
  await writeFile(join(root, ".env"), "SECRET=1");
  return startHttpServer({ webRoot: root });
}

/** A request without fetch's own additions: decompression, and "no-cache" with conditional requests. */
function plainGet(
  url: string,
  headers: Record<string, string>,
): Promise<{ status?: number; encoding?: string; etag?: string; body: Buffer }> {
  return new Promise((resolve, reject) => {
    get(url, { headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk) => chunks.push(chunk as Buffer));
      response.on("end", () =>
        resolve({
          status: response.statusCode,
          encoding: response.headers["content-encoding"],
          etag: response.headers.etag,
          body: Buffer.concat(chunks),
        }),
      );
    }).on("error", reject);
  });
}

const policyOf = (response: Response): string => response.headers.get("content-security-policy") ?? "";

describe("pages", () => {
  test.each([
    ["/", "volunteer", "private, max-age=300"],
    ["/?invite=mh_v_x&auto=1", "volunteer", "private, max-age=300"],
    ["/admin", "admin", "no-cache"],
  ])("[PAGE-2] %s: no inline code runs in it", async (path, title, caching) => {
    const server = await site();
    const response = await server.request(path, { token: null });
    expect(await response.text()).toContain(title);
    expect(response.headers.get("cache-control")).toBe(caching);
    const policy = policyOf(response);
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).toContain(`connect-src 'self' ws://${new URL(server.url).host} `);
    expect(policy).not.toMatch(/unsafe|upgrade-insecure/);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
    });
    expect(response.headers.has("strict-transport-security")).toBe(false);
    expect(response.headers.has("x-powered-by")).toBe(false);
  });

  test("a style in a page is allowed by its hash, other inline ones are not", async () => {
    const style = "main { color: teal }";
    const root = await temporaryDirectory();
    await writeFile(
      join(root, "index.html"),
      `<!doctype html><title>volunteer</title><style>${style}</style>`,
    );
    const server = await startHttpServer({ webRoot: root });
    const response = await server.request("/", { token: null });
    const hash = createHash("sha256").update(style).digest("base64");
    expect(policyOf(response)).toContain(`; style-src 'self' 'sha256-${hash}'; `);
  });

  test("[PAGE-2] a script in a page is allowed by its hash, other inline ones are not", async () => {
    const root = await temporaryDirectory();
    await writeFile(
      join(root, "index.html"),
      `<!doctype html><script>${script}</script><script src="a.js"></script>`,
    );
    const server = await startHttpServer({ webRoot: root });
    const response = await server.request("/", { token: null });
    const hash = createHash("sha256").update(script).digest("base64");
    expect(policyOf(response)).toContain(`; script-src 'self' 'sha256-${hash}'; `);
  });

  test("the sandbox runs its own script by hash, blobs, and nothing of the network", async () => {
    const server = await site();
    const response = await server.request("/sandbox.html", { token: null });
    const hash = createHash("sha256").update(script).digest("base64");
    expect(policyOf(response)).toBe(
      `sandbox allow-scripts; default-src 'none'; script-src 'sha256-${hash}' blob: 'wasm-unsafe-eval' 'unsafe-eval'; worker-src blob: data:; connect-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'`,
    );
    expect(response.headers.has("x-frame-options")).toBe(false);
  });

  test("files under assets are kept for ever, others asked for again; workers reach nothing", async () => {
    const server = await site();
    const asset = await server.request("/assets/page-abc123.js", { token: null });
    expect(asset.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(await asset.text()).toBe(bundle);
    expect(policyOf(asset)).toContain("default-src 'none'");
    const arbiter = await server.request("/arbiter.js", { token: null });
    expect(arbiter.headers.get("cache-control")).toBe("no-cache");
    expect(arbiter.headers.get("content-type")).toMatch("javascript");
    expect(policyOf(arbiter)).toBe("default-src 'none'");
    const again = await plainGet(`${server.url}/arbiter.js`, {
      "if-none-match": arbiter.headers.get("etag")!,
    });
    expect(again.status).toBe(304);
    const image = await server.request("/assets/logo.png", { token: null });
    expect([image.headers.get("content-type"), image.headers.get("cache-control")]).toEqual([
      "image/png",
      "public, max-age=31536000, immutable",
    ]);
    expect((await server.request("/.env", { token: null })).status).toBe(404);
    expect((await server.request("/assets", { token: null })).status).toBe(404);
  });

  test("scripts travel as the build compressed them", async () => {
    const server = await site();
    const url = `${server.url}/assets/page-abc123.js`;
    const br = await plainGet(url, { "accept-encoding": "gzip, br" });
    expect([br.encoding, brotliDecompressSync(br.body).toString()]).toEqual(["br", bundle]);
    expect(br.body.length).toBeLessThan(200);
    const gz = await plainGet(url, { "accept-encoding": "gzip" });
    expect([gz.encoding, gunzipSync(gz.body).toString()]).toEqual(["gzip", bundle]);
    const plain = await plainGet(url, { "accept-encoding": "identity" });
    expect([plain.encoding, plain.body.toString()]).toEqual([undefined, bundle]);
    const unchanged = await plainGet(url, { "accept-encoding": "br", "if-none-match": br.etag! });
    expect([unchanged.status, unchanged.body.length]).toEqual([304, 0]);
    const other = await plainGet(url, { "accept-encoding": "gzip", "if-none-match": br.etag! });
    expect(other.status).toBe(200);
  });

  test("a file without compressed ones beside it travels as it is", async () => {
    const server = await site();
    const arbiter = await plainGet(`${server.url}/arbiter.js`, { "accept-encoding": "gzip, br" });
    expect([arbiter.encoding, arbiter.body.toString()]).toEqual([undefined, "onconnect = () => 0;"]);
  });

  test("not built yet: a page says so, and the rest works", async () => {
    const server = await startHttpServer();
    for (const path of ["/", "/admin", "/sandbox.html"]) {
      const response = await server.request(path, { token: null });
      expect(response.status).toBe(503);
      expect(await response.text()).toContain("npm run build");
    }
    expect((await server.request("/api/status")).status).toBe(200);
  });
});
