// Filters: chips by kind, and the search in the run.
import { clsx } from "clsx";
import { Search } from "lucide-react";
import { useEffect, useState, type RefObject } from "react";
import { Input } from "@/ui/field";
import type { FeedState } from "./store";
import { FILTERS, type Filter } from "./view";

const LABELS: Record<Filter, string> = {
  messages: "Messages",
  tools: "Tools",
  subagents: "Subagents",
  lifecycle: "Lifecycle",
};
/** The search starts after a pause in typing of this long, in milliseconds. */
const TYPED_MS = 250;

function Chip({ on, label, onClick }: { on: boolean; label: string; onClick: () => void }) {
  return (
    <button
      type="button"
      aria-pressed={on}
      onClick={onClick}
      className={clsx(
        "h-6 shrink-0 rounded-full border px-2.5 text-xs max-md:h-8",
        on
          ? "border-accent bg-accent-soft font-medium text-text"
          : "border-line-strong text-muted hover:bg-hover hover:text-text",
      )}
    >
      {on && (
        <span aria-hidden className="mr-1">
          ✓
        </span>
      )}
      {label}
    </button>
  );
}

interface Props {
  state: FeedState;
  raw: boolean;
  input: RefObject<HTMLInputElement | null>;
  onFilter: (filters: ReadonlySet<Filter>) => void;
  onRaw: (raw: boolean) => void;
  onSearch: (text: string) => void;
}

function SearchState({ state, raw }: { state: FeedState; raw: boolean }) {
  const { text, upTo, done, found } = state.search;
  if (text === "") return null;
  const shown = raw ? found.length : state.list.length;
  const percent = Math.floor((100 * upTo) / Math.max(1, state.head));
  return (
    <span role="status" className="shrink-0 text-xs whitespace-nowrap text-muted">
      {shown.toLocaleString("en")} found{!done && ` · ${percent} % searched`}
    </span>
  );
}

export function Toolbar({ state, raw, input, onFilter, onRaw, onSearch }: Props) {
  const { filters } = state;
  const [typed, setTyped] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => onSearch(typed), TYPED_MS);
    return () => clearTimeout(timer);
  }, [typed, onSearch]);
  const flip = (filter: Filter) => {
    onRaw(false);
    const next = new Set(filters);
    if (!next.delete(filter)) next.add(filter);
    onFilter(next.size === FILTERS.length ? new Set() : next);
  };
  return (
    <div className="flex items-center gap-2 border-b px-3 py-1.5 max-md:flex-col max-md:items-stretch">
      <div role="group" aria-label="Event kinds" className="flex gap-1.5 overflow-x-auto p-0.5">
        <Chip
          on={!raw && filters.size === 0}
          label="All"
          onClick={() => {
            onRaw(false);
            onFilter(new Set());
          }}
        />
        {FILTERS.map((filter) => (
          <Chip
            key={filter}
            on={!raw && filters.has(filter)}
            label={LABELS[filter]}
            onClick={() => flip(filter)}
          />
        ))}
        <Chip on={raw} label="Raw" onClick={() => onRaw(!raw)} />
      </div>
      <div className="ml-auto flex min-w-0 items-center gap-2 max-md:ml-0">
        <SearchState state={state} raw={raw} />
        <label className="relative min-w-0 max-md:flex-1">
          <span className="sr-only">Search the run</span>
          <Search
            size={14}
            aria-hidden
            className="pointer-events-none absolute top-1/2 left-2 -translate-y-1/2 text-muted"
          />
          <Input
            ref={input}
            type="search"
            placeholder="Search the run"
            className="pl-7 md:w-56"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
            onKeyDown={(event) => {
              if (event.key !== "Escape") return;
              event.stopPropagation();
              setTyped("");
            }}
          />
        </label>
      </div>
    </div>
  );
}
