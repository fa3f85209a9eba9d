// What a pane shows while it is loading, empty or failed.
import type { ReactNode } from "react";
import { CallError } from "@/api/client";
import { Button } from "./button";

/** Grey placeholder lines. */
export function Skeleton({ lines = 6 }: { lines?: number }) {
  return (
    <div role="status" aria-busy="true" aria-label="Loading" className="flex flex-col gap-2 p-4">
      {Array.from({ length: lines }, (_, at) => (
        <div
          key={at}
          className="pulse-slow h-4 rounded bg-hover"
          style={{ width: `${90 - ((at * 17) % 50)}%` }}
        />
      ))}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="mx-auto flex max-w-md flex-col items-center gap-2 px-4 py-12 text-center">
      <h2 className="text-lg font-semibold">{title}</h2>
      <div className="text-muted">{children}</div>
    </div>
  );
}

/** Shows the cause of a failure and a retry button. */
export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  const message = error instanceof Error ? error.message : String(error);
  const offline = error instanceof CallError && error.status === 0;
  return (
    <div role="alert" className="m-4 rounded-md border border-bad/40 bg-bad-soft p-3">
      <p className="break-words whitespace-pre-wrap">{message}</p>
      {offline && <p className="mt-1 text-muted">It reloads as soon as the server is back.</p>}
      {retry && (
        <Button className="mt-2" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}
