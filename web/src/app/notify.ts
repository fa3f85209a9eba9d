// Browser notifications: when a run newly needs a person who does not look at it. Of all pages of
// this browser one tells: the one that holds a lock. Pages show by further locks what is seen.
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { Run } from "@/api/client";
import { firstLine } from "@/lib/format";
import { store, useStored } from "@/lib/stored";
import { reasonOf } from "@/runs/reason";
import { lookLock, needs, newlyAsking, TELL_LOCK, type Needs } from "./tell";

/** Notifications and locks exist in secure contexts alone: https, or this very machine. */
export const canTell = "Notification" in window && "locks" in navigator;

const permissionListeners = new Set<() => void>();

function onPermission(listener: () => void) {
  permissionListeners.add(listener);
  return () => {
    permissionListeners.delete(listener);
  };
}

type Allowed = NotificationPermission | "impossible";

/** What the browser allows. */
export function useAllowed(): Allowed {
  return useSyncExternalStore(onPermission, () =>
    canTell ? Notification.permission : "impossible",
  );
}

/** Asks the browser for its permission; only ever after a person pressed a button. */
export async function askToTell() {
  await Notification.requestPermission();
  store("tell", "on");
  for (const listener of permissionListeners) listener();
}

/** The person's own switch, for all pages of this browser; on once it was allowed. */
export function useTellSwitch() {
  return useStored<"on" | "off">("tell", "on");
}

/** Waits for a lock while `name` is set, and keeps it; whether it is held. */
function useLock(name: string | null, mode: LockMode): boolean {
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (name === null) return;
    const stop = new AbortController();
    let release: (() => void) | undefined;
    navigator.locks
      .request(name, { signal: stop.signal, mode }, () => {
        if (stop.signal.aborted) return;
        setHeld(true);
        return new Promise<void>((resolve) => {
          release = resolve;
        });
      })
      .catch(() => undefined); // given up before it was held
    return () => {
      stop.abort();
      release?.();
      setHeld(false);
    };
  }, [name, mode]);
  return held;
}

function listenVisible(listener: () => void) {
  document.addEventListener("visibilitychange", listener);
  return () => document.removeEventListener("visibilitychange", listener);
}

async function isSeen(runId: string): Promise<boolean> {
  const { held } = await navigator.locks.query();
  return held?.some((lock) => lock.name === lookLock(runId)) ?? false;
}

/** Tells of `runs` that newly need a person; `open` is the run on this page. */
export function useNotifications(runs: Run[] | undefined, open: string | undefined) {
  const navigate = useNavigate();
  const allowed = useAllowed();
  const [choice] = useTellSwitch();
  const wanted = allowed === "granted" && choice === "on";
  const visible = useSyncExternalStore(listenVisible, () => !document.hidden);
  useLock(wanted && visible && open !== undefined ? lookLock(open) : null, "shared");
  const leads = useLock(wanted ? TELL_LOCK : null, "exclusive");
  const before = useRef<Needs>(null);
  useEffect(() => {
    if (!runs) return;
    // What was asked before this page knew of it is no news.
    const asking = before.current && leads ? newlyAsking(before.current, runs) : [];
    before.current = needs(runs);
    for (const run of asking) {
      void isSeen(run.id).then((seen) => {
        if (seen) return;
        const told = new Notification(firstLine(run.task), { body: reasonOf(run), tag: run.id });
        told.onclick = () => {
          window.focus();
          told.close();
          void navigate({ to: "/runs/$runId/$tab", params: { runId: run.id, tab: "terminal" } });
        };
      });
    }
  }, [runs, leads, navigate]);
}
