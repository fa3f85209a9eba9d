import "./styles.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { CallError } from "./api/client";
import { onPlace, startStream } from "./api/stream";
import { keepInSync } from "./api/sync";
import { makeRouter } from "./app/router";
import { applyTheme } from "./lib/theme";
import { TipProvider } from "./ui/tip";
import { loadToasts } from "./ui/toast";

applyTheme();

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: Infinity, // the stream invalidates queries
      gcTime: 5 * 60_000,
      refetchOnWindowFocus: false,
      networkMode: "always", // loopback needs no network
      retry: (failures, error) =>
        failures < 3 && error instanceof CallError && (error.status === 0 || error.status === 503),
    },
    mutations: { networkMode: "always" },
  },
});
keepInSync(client);
// After the first render; if this fails, the code is loaded with the first toast.
onPlace(() => void loadToasts().catch(() => undefined));
startStream();

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <TipProvider delayDuration={300}>
        <RouterProvider router={makeRouter()} />
      </TipProvider>
    </QueryClientProvider>
  </StrictMode>,
);
