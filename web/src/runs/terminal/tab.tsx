import { clsx } from "clsx";
import { useEffect, useRef, useState } from "react";
import { useLink } from "@/api/stream";
import { useStored } from "@/lib/stored";
import { useDark } from "@/lib/theme";
import { Empty } from "@/ui/panes";
import { failed, succeeded } from "@/ui/toast";
import { reasonOf } from "../reason";
import type { TabProps } from "../run-page";
import { KeyRow } from "./key-row";
import { fontReady } from "./screen";
import { SearchBar } from "./search-bar";
import { TerminalSession, type Seen } from "./session";
import { StatusLine } from "./status";

const AT_FIRST: Seen = { link: { name: "attaching" }, lost: 0, selected: false, ctrl: false };
/** The key row is for devices without a keyboard. */
const TOUCH = matchMedia("(pointer: coarse)").matches;

/** The run's own terminal, for reading and typing. */
export default function TerminalTab({ run }: TabProps) {
  const dark = useDark();
  const online = useLink().online;
  const [reader, setReader] = useStored<"on" | "off">("terminal.reader", "off");
  const [seen, setSeen] = useState(AT_FIRST);
  const [session, setSession] = useState<TerminalSession | null>(null);
  const [searching, setSearching] = useState(false);
  const [focused, setFocused] = useState(false);
  const pane = useRef<HTMLDivElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const look = useRef({ dark, reader: reader === "on" });
  useEffect(() => {
    look.current = { dark, reader: reader === "on" };
    session?.setDark(dark);
    session?.screen.setReader(reader === "on");
  }, [session, dark, reader]);

  useEffect(() => {
    let made: TerminalSession | undefined;
    let over = false;
    void fontReady().then(() => {
      if (over || !place.current) return;
      made = new TerminalSession(run.id, place.current, look.current, {
        seen: (change) => setSeen((known) => ({ ...known, ...change })),
        chord: (chord) => (chord === "search" ? setSearching(true) : pane.current?.focus()),
        copied: () => succeeded("Copied"),
        failed,
      });
      setSession(made);
    });
    return () => {
      over = true;
      made?.dispose();
      setSession(null);
      setSeen(AT_FIRST);
    };
  }, [run.id]);

  useEffect(() => {
    if (online) session?.retryNow();
  }, [online, session]);

  const waiting = seen.link.name === "waiting";
  return (
    <div className="relative flex h-full min-h-0 flex-col">
      {waiting && (
        <div className="absolute inset-0 z-10 bg-surface">
          {run.status === "queued" || run.status === "running" ? (
            <Empty title="The CLI has not started yet">
              Its terminal opens here as soon as it does.
            </Empty>
          ) : (
            <Empty title="The CLI was never started">{reasonOf(run)}</Empty>
          )}
        </div>
      )}
      <div
        ref={pane}
        role="group"
        tabIndex={0}
        aria-label="Terminal. Press Enter to type into it."
        className="relative min-h-0 flex-1 overflow-hidden focus-visible:-outline-offset-2"
        onKeyDown={(event) => {
          if (event.target !== event.currentTarget) return;
          const search = event.ctrlKey && event.shiftKey && event.code === "KeyF";
          if (event.key !== "Enter" && !search) return;
          event.preventDefault();
          if (search) setSearching(true);
          else session?.screen.term.focus();
        }}
        onFocus={(event) => setFocused(event.target !== event.currentTarget)}
        onBlur={() => setFocused(false)}
      >
        <div
          ref={place}
          data-testid="terminal"
          className={clsx(
            // A screen whose size another page decided, or a final one, may be larger than the
            // pane.
            "absolute inset-y-1 right-1 left-2 overflow-auto",
          )}
        />
      </div>
      {searching && session && (
        <SearchBar screen={session.screen} onClose={() => setSearching(false)} />
      )}
      <StatusLine
        seen={seen}
        focused={focused}
        reader={reader === "on"}
        onReader={() => setReader(reader === "on" ? "off" : "on")}
        onSearch={() => setSearching(true)}
        onCopy={() => void session?.copy()}
      />
      {TOUCH && session && seen.link.name === "live" && (
        <KeyRow session={session} ctrl={seen.ctrl} />
      )}
    </div>
  );
}
