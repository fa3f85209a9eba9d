import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Tests of the page in a real browser against the real server; see tests/support/server.ts for what
// the environment may set. One at a time: each starts processes of its own.
export default defineConfig({
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  test: {
    include: ["tests/**/*.e2e.ts"],
    fileParallelism: false,
    maxConcurrency: 1,
    // A loaded machine can be slower than a wait; what fails three times is a fault.
    retry: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
