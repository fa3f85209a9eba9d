import { ChevronDown, ChevronUp, X } from "lucide-react";
import { useEffect, useState } from "react";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";
import type { Screen } from "./screen";

/** `index` is -1 when there are too many matches to count. */
interface Found {
  index: number;
  count: number;
}

function word(text: string, found: Found): string {
  if (text === "") return "";
  if (found.count === 0) return "none";
  return found.index < 0 ? `${found.count} or more` : `${found.index + 1} of ${found.count}`;
}

/** Searches screen and scrollback; Enter moves to older lines, Shift+Enter to newer ones. */
export function SearchBar({ screen, onClose }: { screen: Screen; onClose: () => void }) {
  const [text, setText] = useState("");
  const [found, setFound] = useState<Found>({ index: -1, count: 0 });
  useEffect(() => {
    const results = screen.search.onDidChangeResults(({ resultIndex, resultCount }) =>
      setFound({ index: resultIndex, count: resultCount }),
    );
    return () => {
      results.dispose();
      screen.search.clearDecorations();
      screen.term.clearSelection();
    };
  }, [screen]);
  const find = (back: boolean) => {
    if (text !== "") screen.find(text, back);
  };
  const close = () => {
    onClose();
    screen.term.focus();
  };
  return (
    <div
      role="search"
      aria-label="Search the terminal"
      className="absolute top-2 right-3 left-3 z-10 flex items-center gap-1 rounded-md border border-line-strong bg-raised p-1 shadow-lg sm:left-auto"
    >
      <Input
        autoFocus
        aria-label="Text to find"
        placeholder="Find in the terminal"
        className="min-w-0 flex-1 !h-7 sm:!w-56"
        value={text}
        onChange={(event) => {
          const next = event.target.value;
          setText(next);
          if (next === "") screen.search.clearDecorations();
          else screen.find(next, true, true);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter") find(!event.shiftKey);
          if (event.key === "Escape") close();
          event.stopPropagation();
        }}
      />
      <span role="status" className="min-w-14 text-center text-xs text-muted">
        {word(text, found)}
      </span>
      <Button
        kind="quiet"
        icon={<ChevronUp size={16} />}
        aria-label="Previous match"
        onClick={() => find(true)}
      />
      <Button
        kind="quiet"
        icon={<ChevronDown size={16} />}
        aria-label="Next match"
        onClick={() => find(false)}
      />
      <Button kind="quiet" icon={<X size={16} />} aria-label="Close search" onClick={close} />
    </div>
  );
}
