import { useLink } from "@/api/stream";
import { useNow } from "@/lib/clock";
import { age } from "@/lib/format";

/** Breaks shorter than this, in milliseconds, are not shown. */
const PATIENCE_MS = 1200;

/** Says that the server cannot be reached and how old the page is. */
export function OfflineBanner() {
  const link = useLink();
  const now = useNow();
  const gone = now - link.since;
  if (link.online || gone < PATIENCE_MS) return null;
  return (
    <div role="status" className="bg-warn-soft px-3 py-1 text-center text-warn">
      The server cannot be reached. This page is {age(gone)} old and reconnects by itself; your runs
      continue.
    </div>
  );
}
