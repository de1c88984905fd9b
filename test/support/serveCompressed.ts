/** Serves a folder as a web server does that compresses: under a policy that forbids evaluating text, each file by gzip. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";

const TYPES: Readonly<Record<string, string>> = { ".html": "text/html; charset=utf-8", ".js": "text/javascript" };
/** Pages may have scripts within them, such as an import map. */
const POLICY = "default-src 'none'; script-src 'self' 'unsafe-inline'";

export interface ServedCompressed {
  /** With a slash at the end. */
  readonly url: string;
  /** The files that were sent, and their bytes, compressed. */
  readonly sent: Map<string, number>;
  /** Requests for such files fail. */
  readonly fail: (file: RegExp) => void;
  /** Requests for such files are left without an answer. */
  readonly hold: (file: RegExp) => void;
  readonly close: () => Promise<void>;
}

export async function serveCompressed(folder: string): Promise<ServedCompressed> {
  const sent = new Map<string, number>();
  let failing: RegExp | undefined;
  let held: RegExp | undefined;
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (held?.test(pathname)) return;
    if (failing?.test(pathname)) {
      response.writeHead(503).end();
      return;
    }
    readFile(join(folder, pathname)).then(
      (content) => {
        const compressed = gzipSync(content);
        sent.set(pathname, compressed.length);
        response
          .writeHead(200, {
            "content-type": TYPES[extname(pathname)] ?? "application/octet-stream",
            "content-encoding": "gzip",
            "content-security-policy": POLICY,
          })
          .end(compressed);
      },
      () => void response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`,
    sent,
    fail: (file) => (failing = file),
    hold: (file) => (held = file),
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}
