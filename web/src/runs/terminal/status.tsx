// The line below the screen: the state of the terminal, and its actions.
import { Accessibility, Copy, Search } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "@/ui/button";
import { Tip } from "@/ui/tip";
import { LEAVE } from "./keys";
import type { LinkState } from "./link";
import type { Seen } from "./session";

function ended(code: number | null): string {
  return code === null ? "ended by a signal" : `ended with exit code ${code}`;
}

/** A sentence about the connection; empty while attached. */
export function sentence(link: LinkState): string {
  switch (link.name) {
    case "attaching":
      return "Attaching…";
    case "away":
      return `${link.why} Keys are not sent; reconnecting…`;
    case "resting":
      return "Too much output to show live; catching up…";
    case "ended":
      return `The program ${ended(link.code)}. This is its last screen.`;
    case "gone":
      return "This run no longer exists.";
    case "live":
    case "waiting":
      return "";
  }
}

function lostKeys(lost: number): string {
  return lost === 1 ? "1 key was not sent." : `${lost} keys were not sent.`;
}

function Bad({ children }: { children: ReactNode }) {
  return <strong className="font-medium text-bad">{children}</strong>;
}

interface Props {
  seen: Seen;
  focused: boolean;
  reader: boolean;
  onReader: () => void;
  onSearch: () => void;
  onCopy: () => void;
}

export function StatusLine({ seen, focused, reader, onReader, onSearch, onCopy }: Props) {
  const readerLabel = reader ? "Screen reader mode off" : "Screen reader mode on";
  return (
    <div className="flex min-h-8 items-center gap-2 border-t bg-sunken px-3 text-xs text-muted">
      <span role="status" className="min-w-0 flex-1" data-testid="terminal-state">
        <span className={seen.link.name === "away" ? "text-warn" : ""}>{sentence(seen.link)}</span>{" "}
        {seen.lost > 0 && <Bad>{lostKeys(seen.lost)}</Bad>}
      </span>
      {seen.link.name === "live" && (
        <span className="hidden shrink-0 sm:inline">
          {focused ? (
            <>
              <kbd className="font-mono">{LEAVE}</kbd> leaves the terminal
            </>
          ) : (
            "Click the terminal or press Enter to type"
          )}
        </span>
      )}
      {seen.selected && (
        <Button kind="quiet" icon={<Copy size={14} />} onClick={onCopy}>
          Copy
        </Button>
      )}
      <Tip text={readerLabel}>
        <Button
          kind="quiet"
          aria-label="Screen reader mode"
          aria-pressed={reader}
          icon={<Accessibility size={15} className={reader ? "text-accent" : ""} />}
          onClick={onReader}
        />
      </Tip>
      <Tip text="Search (Ctrl+Shift+F)">
        <Button
          kind="quiet"
          aria-label="Search the terminal"
          icon={<Search size={15} />}
          onClick={onSearch}
        />
      </Tip>
    </div>
  );
}
