// Open approvals one below the other, answered by keyboard or pointer.
import { useQuery } from "@tanstack/react-query";
import { useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Approval } from "@/api/client";
import { projectsQuery, runsQuery } from "@/api/queries";
import { useKeys } from "@/app/keys";
import { useClosings } from "./calls";
import { ApprovalCard, cardId } from "./card";

/** After the list moved, clicks decide nothing for so long, in milliseconds. */
const MOVED_MS = 500;

interface Props {
  approvals: Approval[];
  label: string;
  /** On a page of their own, each says which run asks, and keys move between them. */
  inbox: boolean;
}

const cardOf = (approval: Approval | undefined) =>
  approval && document.getElementById(cardId(approval));

/** Whether arrow keys do something else where the focus is. */
const scrolls = (event: KeyboardEvent) =>
  event.target instanceof Element && event.target.matches("pre, [role=group], [role=group] *");

export function ApprovalList({ approvals, label, inbox }: Props) {
  const runs = useQuery(runsQuery()).data;
  const projects = useQuery(projectsQuery()).data;
  const runsById = useMemo(() => new Map(runs?.map((run) => [run.id, run])), [runs]);
  const names = useMemo(
    () => new Map(projects?.map((project) => [project.id, project.name])),
    [projects],
  );
  useClosings(approvals, runsById);

  // The current one by its id, and by its place when it disappears.
  const [current, setCurrent] = useState({ id: approvals[0]?.approval_id, at: 0 });
  const known = approvals.findIndex((approval) => approval.approval_id === current.id);
  const at = known >= 0 ? known : Math.min(current.at, approvals.length - 1);
  const shown = approvals[at];

  const ids = approvals.map(({ approval_id: id }) => id).join(" ");
  const moved = useRef({ ids, at: 0 });
  const list = useRef<HTMLDivElement>(null);
  const focused = useRef(false);
  useLayoutEffect(() => {
    const before = moved.current.ids;
    if (before === ids) return;
    // What is new comes last and moves nothing.
    if (!ids.startsWith(before)) moved.current.at = performance.now();
    moved.current.ids = ids;
    // The focus went with its approval.
    if (focused.current && !list.current?.contains(document.activeElement)) {
      cardOf(shown)?.focus({ preventScroll: true });
    }
  }, [ids, shown]);

  const select = (next: number) => {
    const approval = approvals[Math.max(0, Math.min(approvals.length - 1, next))];
    const card = cardOf(approval);
    card?.focus({ preventScroll: true });
    card?.scrollIntoView({ block: "start" });
  };
  /** The control with this key in the current approval. */
  const control = (key: string) =>
    cardOf(shown)?.querySelector<HTMLElement>(`[data-key="${key}"]:not(:disabled)`);
  const lead = (key: string, event: KeyboardEvent) => {
    const target = control(key);
    if (!target) return;
    event.preventDefault();
    target.focus();
    target.scrollIntoView({ block: "nearest" });
  };
  const step = (by: number) => (event: KeyboardEvent) => {
    if (event.key.startsWith("Arrow") && scrolls(event)) return;
    event.preventDefault();
    const inside = list.current?.contains(document.activeElement) === true;
    select(inside ? at + by : at);
  };
  useKeys({
    a: (event) => lead("a", event),
    "Shift+A": (event) => lead("A", event),
    d: (event) => {
      event.preventDefault(); // else the letter goes into the field that opens
      control("d")?.click();
    },
    ...(inbox
      ? {
          j: step(1),
          k: step(-1),
          ArrowDown: step(1),
          ArrowUp: step(-1),
          o: () => control("o")?.click(),
        }
      : {}),
  });

  return (
    <div
      ref={list}
      role="list"
      aria-label={label}
      className="divide-y"
      onFocus={() => {
        focused.current = true;
      }}
      onBlur={(event) => {
        // Without a next element the focused one may just have been removed.
        if (event.relatedTarget !== null) {
          focused.current = event.currentTarget.contains(event.relatedTarget);
        }
      }}
    >
      {approvals.map((approval, nth) => {
        const run = runsById.get(approval.run_id);
        return (
          <div role="listitem" key={approval.approval_id}>
            <ApprovalCard
              approval={approval}
              run={run}
              project={run && names.get(run.project_id)}
              named={inbox}
              current={nth === at && (inbox || approvals.length > 1)}
              onFocus={() => setCurrent({ id: approval.approval_id, at: nth })}
              steady={() => performance.now() - moved.current.at > MOVED_MS}
            />
          </div>
        );
      })}
    </div>
  );
}
