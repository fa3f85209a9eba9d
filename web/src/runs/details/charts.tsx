import { useState } from "react";
import { Bars } from "@/charts/bars";
import { COLOURS, Figure, type Series } from "@/charts/figure";
import { count, exact, money, span, sumOf } from "@/lib/format";
import { timesOf, toolTimes, type Doing, type Turn } from "./turns";

const BUCKETS = [
  { key: "in", label: "Input", colour: "var(--busy)" },
  { key: "out", label: "Output", colour: "var(--accent)" },
  { key: "cacheWrite", label: "Cache write", colour: "var(--warn)" },
  { key: "cacheRead", label: "Cache read", colour: "var(--good)" },
] as const satisfies Series[];

const DOINGS: (Series & { key: Doing })[] = [
  { key: "thinking", label: "Thinking", colour: "var(--busy)" },
  { key: "tool", label: "Tool", colour: "var(--good)" },
  { key: "you", label: "Waiting for you", colour: "var(--warn)" },
];

/** Most turns with a lane; the table has all. */
const LANES = 30;
/** Most tools with their own bar. */
const TOOLS = 12;

function TokensChart({ turns }: { turns: Turn[] }) {
  const [withReads, setWithReads] = useState(true);
  const series = BUCKETS.filter(({ key }) => withReads || key !== "cacheRead");
  return (
    <div className="min-w-0">
      <Figure
        title="Tokens per turn"
        legend={series}
        table={{
          head: ["Turn", ...BUCKETS.map(({ label }) => label)],
          rows: turns.map((turn) => [turn.number, ...BUCKETS.map(({ key }) => turn.tokens[key])]),
        }}
      >
        <Bars
          rows={turns.map(({ number, tokens }) => ({ name: String(number), ...tokens }))}
          series={series}
          format={count}
        />
      </Figure>
      <label className="flex min-h-6 w-fit items-center gap-1.5 text-xs text-muted max-md:py-2">
        <input
          type="checkbox"
          className="size-6 p-1 accent-(--accent)"
          checked={withReads}
          onChange={(event) => setWithReads(event.target.checked)}
        />
        with cache reads (many, but cheap)
      </label>
    </div>
  );
}

function Lanes({ turns }: { turns: Turn[] }) {
  const shown = turns.slice(-LANES);
  const longest = Math.max(1, ...shown.map(({ from, to }) => to - from));
  return (
    <Figure
      title="Where the time went"
      note={
        shown.length < turns.length
          ? `The latest ${LANES} of ${turns.length} turns, aligned at their start.`
          : "Turns are aligned at their start."
      }
      legend={DOINGS}
      table={{
        head: ["Turn", "Started", "Took", ...DOINGS.map(({ label }) => label)],
        rows: turns.map((turn) => {
          const times = timesOf(turn);
          return [
            turn.number,
            exact(new Date(turn.from).toISOString()),
            span(turn.to - turn.from),
            ...DOINGS.map(({ key }) => span(times[key])),
          ];
        }),
      }}
    >
      <ol className="space-y-1">
        {shown.map((turn) => (
          <li key={turn.number} className="flex items-center gap-2 text-xs">
            <span className="w-6 shrink-0 text-right text-muted">{turn.number}</span>
            <span className="flex h-3.5 min-w-0 flex-1 rounded-sm bg-sunken">
              {turn.spans.map((part) => (
                <span
                  key={part.from}
                  title={`${DOINGS.find(({ key }) => key === part.doing)?.label}: ${span(part.to - part.from)}`}
                  className="min-w-px"
                  style={{
                    width: `${((part.to - part.from) / longest) * 100}%`,
                    background: DOINGS.find(({ key }) => key === part.doing)?.colour,
                  }}
                />
              ))}
            </span>
            <span className="w-20 shrink-0 text-muted">
              {span(turn.to - turn.from)}
              {turn.lasts && " …"}
            </span>
          </li>
        ))}
      </ol>
    </Figure>
  );
}

/** Small charts over the turns of a run. */
export default function TurnCharts({ turns }: { turns: Turn[] }) {
  const tools = toolTimes(turns);
  const tokens = turns.some(({ tokens }) => Object.values(tokens).some((n) => n > 0));
  const cost = turns.some(({ cost }) => cost > 0);
  const unpriced = turns.some(({ unpriced }) => unpriced);
  return (
    <div className="grid gap-x-8 gap-y-5 xl:grid-cols-2">
      <Lanes turns={turns} />
      {tools.length > 0 && (
        <Figure
          title="Time by tool"
          note="Time spent waiting for you is excluded; tools that ran at the same time each count in full."
          table={{
            head: ["Tool", "Calls", "Time"],
            rows: tools.map(({ name, calls, ms }) => [name, calls, span(ms)]),
          }}
        >
          <Bars
            lying
            rows={tools.slice(0, TOOLS).map(({ name, ms }) => ({ name, ms }))}
            series={[{ key: "ms", label: "Time", colour: COLOURS[2] ?? "" }]}
            format={span}
          />
        </Figure>
      )}
      {tokens && <TokensChart turns={turns} />}
      {cost && (
        <Figure
          title="Cost per turn"
          {...(unpriced ? { note: "Incomplete: some tokens have no known price." } : {})}
          table={{
            head: ["Turn", "Cost"],
            rows: turns.map((turn) => [turn.number, sumOf(turn.cost, turn.unpriced ? 1 : 0)]),
          }}
        >
          <Bars
            rows={turns.map((turn) => ({ name: String(turn.number), cost: turn.cost }))}
            series={[{ key: "cost", label: "Cost", colour: COLOURS[1] ?? "" }]}
            format={money}
          />
        </Figure>
      )}
    </div>
  );
}
