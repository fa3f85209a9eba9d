import { Bars, type Row } from "@/charts/bars";
import { COLOURS, Figure, type Series } from "@/charts/figure";
import type { Run } from "@/api/client";
import { money, span, unpricedRuns } from "@/lib/format";
import { byDay, isUnpriced, medianByDay, outcomeOf, type ByDay, type Outcome } from "./fold";

interface Props {
  runs: Run[];
  /** The axis. */
  days: string[];
  /** Names of agents by their id. */
  agents: Map<string, string>;
}

const OUTCOMES: (Series & { key: Outcome })[] = [
  { key: "done", label: "Done", colour: "var(--good)" },
  { key: "failed", label: "Failed", colour: "var(--bad)" },
  { key: "cancelled", label: "Cancelled", colour: "var(--muted)" },
  { key: "open", label: "Open", colour: "var(--busy)" },
];

/** A day for the axis: `9 Mar`. */
function short(day: string): string {
  return new Date(`${day}T12:00:00`).toLocaleDateString(undefined, {
    day: "numeric",
    month: "short",
  });
}

function seriesOf({ groups }: ByDay): Series[] {
  return groups.map((name, at) => ({
    // Group names are free text and must not collide with the row's own fields.
    key: `group-${name}`,
    label: name,
    colour: COLOURS[Math.min(at, COLOURS.length - 1)] ?? "",
  }));
}

function CostChart({ title, found, unpriced }: { title: string; found: ByDay; unpriced: number }) {
  const series = seriesOf(found);
  const rows = found.rows.map(({ day, values }): Row => ({
    name: short(day),
    ...Object.fromEntries(found.groups.map((name) => [`group-${name}`, values.get(name) ?? 0])),
  }));
  return (
    <Figure
      title={title}
      note={
        "Dollars, by the day the run was created." +
        (unpriced === 0 ? "" : ` Excludes ${unpricedRuns(unpriced)}.`)
      }
      legend={series}
      table={{
        head: ["Day", ...found.groups],
        rows: found.rows
          .filter(({ values }) => values.size > 0)
          .map(({ day, values }) => [
            day,
            ...found.groups.map((name) => money(values.get(name) ?? 0)),
          ]),
      }}
    >
      {found.groups.length === 0 ? (
        <p className="py-8 text-center text-muted">No run in this period reported a cost.</p>
      ) : (
        <Bars rows={rows} series={series} format={money} />
      )}
    </Figure>
  );
}

/** Small charts over days. */
export default function UsageCharts({ runs, days, agents }: Props) {
  const cost = (run: Run) => run.cost_usd;
  const unpriced = runs.filter(isUnpriced).length;
  const most = COLOURS.length;
  const outcomes = byDay(runs, days, outcomeOf, () => 1, OUTCOMES.length);
  const medians = medianByDay(runs, days);
  return (
    <div className="grid gap-x-8 gap-y-6 lg:grid-cols-2">
      <CostChart
        title="Cost per day by CLI"
        unpriced={unpriced}
        found={byDay(runs, days, (run) => run.cli_name, cost, most)}
      />
      <CostChart
        title="Cost per day by agent"
        unpriced={unpriced}
        found={byDay(runs, days, (run) => agents.get(run.agent_id) ?? "deleted agent", cost, most)}
      />
      <Figure
        title="Runs per day by outcome"
        note="Done: completed, or at the prompt with work to review."
        legend={OUTCOMES}
        table={{
          head: ["Day", ...OUTCOMES.map(({ label }) => label)],
          rows: outcomes.rows
            .filter(({ values }) => values.size > 0)
            .map(({ day, values }) => [day, ...OUTCOMES.map(({ key }) => values.get(key) ?? 0)]),
        }}
      >
        <Bars
          rows={outcomes.rows.map(({ day, values }) => ({
            name: short(day),
            ...Object.fromEntries(OUTCOMES.map(({ key }) => [key, values.get(key) ?? 0])),
          }))}
          series={OUTCOMES}
          format={String}
          whole
        />
      </Figure>
      <Figure
        title="Median time to done"
        note="From creation to the end of the latest turn, by the day the run was created."
        table={{
          head: ["Day", "Median"],
          rows: medians.filter(({ ms }) => ms !== null).map(({ day, ms }) => [day, span(ms ?? 0)]),
        }}
      >
        <Bars
          rows={medians.map(({ day, ms }) => ({ name: short(day), ms: ms ?? 0 }))}
          series={[{ key: "ms", label: "Median", colour: COLOURS[0] ?? "" }]}
          format={span}
        />
      </Figure>
    </div>
  );
}
