// Runs worker.mjs on workerd: node run.mjs PORT DIRECT_PORT [DEFINITIONS.json]
import { readFileSync } from "node:fs";
import { build } from "esbuild";
import { Miniflare } from "miniflare";

const [port, direct, definitions] = process.argv.slice(2);
const resource = `http://127.0.0.1:${port}/mcp`;
const config = `export const RESOURCE = ${JSON.stringify(resource)};
export const DEFINITIONS = ${definitions ? readFileSync(definitions, "utf8") : "[]"};`;
const bundle = await build({
  entryPoints: [new URL("worker.mjs", import.meta.url).pathname],
  bundle: true,
  write: false,
  format: "esm",
  target: "es2022",
  conditions: ["workerd", "worker", "browser"],
  external: ["cloudflare:*", "node:*"],
  plugins: [
    {
      name: "config",
      setup(into) {
        into.onResolve({ filter: /^bench:config$/ }, ({ path }) => ({ path, namespace: "bench" }));
        into.onLoad({ filter: /.*/, namespace: "bench" }, () => ({ contents: config }));
      },
    },
  ],
});
const running = new Miniflare({
  host: "127.0.0.1",
  port: Number(port),
  modules: [{ type: "ESModule", path: "worker.mjs", contents: bundle.outputFiles[0].text }],
  compatibilityDate: "2026-07-01",
  compatibilityFlags: ["nodejs_compat", "global_fetch_strictly_public"],
  kvNamespaces: ["OAUTH_KV"],
  unsafeDirectSockets: [{ host: "127.0.0.1", port: Number(direct) }],
});
await running.ready;
console.log("ready");
process.on("SIGTERM", async () => {
  await running.dispose();
  process.exit(0);
});
