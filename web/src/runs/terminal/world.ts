// What a terminal's connection needs from the browser; tests replace it.
import { api, CallError, data } from "@/api/client";

/** Whether the run has a terminal to attach to. */
export type Found = "started" | "never" | "gone" | "unreachable";

/** The part of a WebSocket that is used. */
export interface Socket {
  onmessage: ((message: MessageEvent<string | ArrayBuffer>) => void) | null;
  onclose: (() => void) | null;
  send: (what: string | Uint8Array<ArrayBuffer>) => void;
  close: () => void;
}

export interface World {
  find: (runId: string) => Promise<Found>;
  open: (runId: string) => Socket;
  /** The server's message when it refused to attach. */
  whyNot: (runId: string) => Promise<string>;
}

const address = (runId: string) => `/api/terminal?run_id=${encodeURIComponent(runId)}`;

export const browserWorld: World = {
  /**
   * Checks by HTTP first: a refused WebSocket gives the page no reason and logs an error in the
   * console.
   */
  async find(runId) {
    try {
      const spawned = await data(
        api.GET("/api/runs/{id}/events", {
          params: { path: { id: runId }, query: { type: "process.spawned", limit: 1 } },
        }),
      );
      return spawned.length > 0 ? "started" : "never";
    } catch (error) {
      return error instanceof CallError && error.status === 404 ? "gone" : "unreachable";
    }
  },

  open(runId) {
    const socket = new WebSocket(address(runId));
    socket.binaryType = "arraybuffer";
    const close = socket.close.bind(socket);
    // Closing a connecting socket logs a warning in the console.
    socket.close = () => {
      if (socket.readyState === WebSocket.CONNECTING)
        socket.addEventListener("open", () => close());
      else close();
    };
    return socket as Socket;
  },

  async whyNot(runId) {
    try {
      const answer = await fetch(address(runId));
      // 400 means that only the upgrade is missing.
      if (answer.status !== 400) return (await answer.text()).trim();
    } catch {
      return "The server cannot be reached.";
    }
    return "The connection to the terminal was lost.";
  },
};
