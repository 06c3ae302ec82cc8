import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort, untilListening } from "../../harness/services/ports.ts";
import { startProgram, temporaryDirectory } from "./children.ts";

/**
 * Starts Debian's nginx on the files of a server's blob directory, under the same addresses as the server, with the settings
 * that nginx's manual recommends for large files. By WebDAV PUT it takes files in, too: written aside and renamed, not synced.
 */
export async function startNginx(blobDirectory: string): Promise<{ url: string; pid: number }> {
  const prefix = temporaryDirectory();
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
  const { pid } = startProgram(process.env["NGINX"] ?? "nginx", ["-c", file, "-p", prefix]);
  await untilListening(port);
  return { url: `http://127.0.0.1:${port}`, pid };
}
