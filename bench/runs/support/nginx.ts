import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { startProcess, temporaryDirectory } from "./processes.ts";

/**
 * Starts Debian's nginx on the files of a server's blob directory, under the same addresses as the server, with what its
 * manual recommends for large files. It takes files in by WebDAV PUT, too: written aside and renamed, not synced.
 */
export async function startNginx(blobDirectory: string): Promise<{ url: string; pid: number }> {
  const prefix = await temporaryDirectory();
  const port = await freePort();
  const file = join(prefix, "nginx.conf");
  await writeFile(
    file,
    `daemon off;
master_process off;
pid ${prefix}/nginx.pid;
error_log stderr crit;
events { worker_connections 256; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000;
  default_type application/octet-stream;
  client_max_body_size 0;
  client_body_temp_path ${prefix}/incoming;
  server {
    listen 127.0.0.1:${port};
    location ~ "^/api/blobs/(?<folder>[0-9a-f][0-9a-f])(?<rest>[0-9a-f]+)$" {
      alias ${blobDirectory}/$folder/$folder$rest;
      dav_methods PUT;
      create_full_put_path on;
    }
  }
}
`,
  );
  const started = await startProcess(process.env["NGINX"] ?? "nginx", ["-c", file, "-p", prefix]);
  const url = `http://127.0.0.1:${port}`;
  await answered(url);
  return { url, pid: started.pid };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function answered(url: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await fetch(url);
      return;
    } catch (error) {
      if (tries > 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
