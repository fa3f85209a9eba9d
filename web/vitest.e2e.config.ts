import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Tests of the page in a real browser against the real server; see tests/support/server.ts for what
// the environment may set. One at a time: each starts processes of its own.
export default defineConfig({
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  test: {
    include: ["tests/**/*.e2e.ts"],
    // Minutes of 100,000 events: for the long counts.
    exclude: process.env["ABBADO_PROVE"] === "1" ? [] : ["tests/activity-performance.e2e.ts"],
    fileParallelism: false,
    maxConcurrency: 1,
    // For what hangs: each wait has a limit of its own, PATIENCE_MS.
    expect: { poll: { timeout: 90_000 } },
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
