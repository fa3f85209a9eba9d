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
    source ??= new StreamSource((said: FromStream) => {
      for (const page of pages) page.postMessage(said);
    });
    for (const said of source.greeting()) port.postMessage(said);
    pages.add(port);
  };
  port.start();
};
