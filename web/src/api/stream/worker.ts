// The SharedWorker: a browser has six connections a host over HTTP/1.1, so all pages share one stream.
import type { FromStream, ToStream } from "./protocol";
import { StreamSource } from "./source";

const pages = new Set<MessagePort>();
let source: StreamSource | undefined;

const scope = globalThis as unknown as { onconnect: (event: MessageEvent) => void };
scope.onconnect = (event) => {
  const port = event.ports[0];
  if (!port) return;
  port.onmessage = (message: MessageEvent<ToStream>) => {
    if (message.data.type === "bye") {
      pages.delete(port);
      return;
    }
    source ??= new StreamSource((message: FromStream) => {
      for (const page of pages) page.postMessage(message);
    });
    for (const message of source.greeting()) port.postMessage(message);
    pages.add(port);
  };
  port.start();
};
