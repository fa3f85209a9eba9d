// Browser notifications: when a run starts to need a person who is not looking at it. Of all pages
// of this browser, the one that holds a lock notifies. Further locks show which runs are visible.
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { Approval, Run } from "@/api/client";
import { keys } from "@/api/keys";
import { firstLine } from "@/lib/format";
import { store, useStored } from "@/lib/stored";
import { reasonOf } from "@/runs/reason";
import { viewLock, questions, newQuestions, NOTIFIER_LOCK, type Questions } from "./attention";

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

/** Asks the browser for permission. Call it only from a click. */
export async function askToTell() {
  await Notification.requestPermission();
  store("tell", "on");
  for (const listener of permissionListeners) listener();
}

/** The user's own switch, for all pages of this browser; on once notifications are allowed. */
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
      .catch(() => undefined); // unmounted before the lock was acquired
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
  return held?.some((lock) => lock.name === viewLock(runId)) ?? false;
}

/** Notifies about `runs` that started to need a person; `open` is the run on this page. */
export function useNotifications(runs: Run[] | undefined, open: string | undefined) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const allowed = useAllowed();
  const [choice] = useTellSwitch();
  const wanted = allowed === "granted" && choice === "on";
  const visible = useSyncExternalStore(listenVisible, () => !document.hidden);
  useLock(wanted && visible && open !== undefined ? viewLock(open) : null, "shared");
  const leads = useLock(wanted ? NOTIFIER_LOCK : null, "exclusive");
  const before = useRef<Questions>(null);
  useEffect(() => {
    if (!runs) return;
    // What was already waiting when this page loaded is not new.
    const asking = before.current && leads ? newQuestions(before.current, runs) : [];
    before.current = questions(runs);
    for (const run of asking) {
      void isSeen(run.id).then((seen) => {
        if (seen) return;
        const notification = new Notification(firstLine(run.task), {
          body: reasonOf(run),
          tag: run.id,
        });
        notification.onclick = () => {
          window.focus();
          notification.close();
          const open = client.getQueryData<Approval[]>(keys.approvals);
          const tab = open?.some(({ run_id }) => run_id === run.id) ? "activity" : "terminal";
          void navigate({ to: "/runs/$runId/$tab", params: { runId: run.id, tab } });
        };
      });
    }
  }, [runs, leads, navigate, client]);
}
