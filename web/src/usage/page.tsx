// What runs cost and how they ended, from the list of runs alone.
import { useQueries, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Suspense, useEffect, useMemo } from "react";
import { agentsQuery, projectsQuery, runsQuery } from "@/api/queries";
import { useNow } from "@/lib/clock";
import { count, span, sumOf, unpricedRuns } from "@/lib/format";
import { NumbersTable } from "@/charts/figure";
import { lazyPart } from "@/lib/part";
import { Select } from "@/ui/field";
import { Empty, Failed, Skeleton } from "@/ui/panes";
import { axis, chosen, totalsBy, totalsOf, type Totals } from "./fold";

const UsageCharts = lazyPart(() => import("./charts"));

/** Periods in days; 0 is all. */
const PERIODS = [
  { days: 7, label: "7 days" },
  { days: 30, label: "30 days" },
  { days: 90, label: "90 days" },
  { days: 0, label: "All time" },
];
const FIRST_PERIOD = 30;

const cells = ({ runs, done, failed, tokens, cost, unpriced, median }: Totals) => [
  runs,
  done,
  failed,
  count(tokens),
  sumOf(cost, unpriced),
  median === null ? "–" : span(median),
];

function Sums({ totals }: { totals: Totals }) {
  const shown = [
    ["Runs", String(totals.runs)],
    ["Done", String(totals.done)],
    ["Failed", String(totals.failed)],
    ["Tokens in and out", count(totals.tokens)],
    [
      totals.unpriced === 0 ? "Cost" : `Cost; ${unpricedRuns(totals.unpriced)}`,
      sumOf(totals.cost, totals.unpriced),
    ],
    ["Median time to done", totals.median === null ? "–" : span(totals.median)],
  ];
  return (
    <dl className="flex flex-wrap gap-x-8 gap-y-2">
      {shown.map(([name, value]) => (
        <div key={name} className="flex flex-col-reverse">
          <dt className="text-xs text-muted">{name}</dt>
          <dd className="text-lg font-semibold">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function UsagePage() {
  const runs = useQuery(runsQuery());
  const projects = useQuery(projectsQuery());
  const { project, days: asked = FIRST_PERIOD } = useSearch({ from: "/usage" });
  const navigate = useNavigate({ from: "/usage" });
  const minute = useNow(60_000);
  const agents = useQueries({
    queries: (projects.data ?? []).map(({ id }) => agentsQuery(id)),
    combine: (answers) =>
      new Map(answers.flatMap(({ data }) => (data ?? []).map(({ id, name }) => [id, name]))),
  });
  const days = asked === 0 ? null : asked;
  const found = useMemo(
    () => chosen(runs.data ?? [], project, days, minute),
    [runs.data, project, days, minute],
  );
  useEffect(() => {
    document.title = "Usage · abbado";
    return () => {
      document.title = "abbado";
    };
  }, []);
  if (runs.isPending || projects.isPending) return <Skeleton lines={10} />;
  if (runs.isError) return <Failed error={runs.error} retry={() => void runs.refetch()} />;
  const names = new Map(projects.data?.map(({ id, name }) => [id, name]));
  const byProject = totalsBy(found, (run) => run.project_id);
  return (
    <div className="flex h-full min-h-0 flex-col">
      <header className="flex flex-wrap items-center gap-2 border-b px-4 py-2">
        <h1 className="mr-auto text-lg font-semibold">Usage</h1>
        <Select
          aria-label="Project"
          className="!w-auto max-w-60"
          value={project ?? ""}
          onChange={({ target }) =>
            void navigate({
              replace: true,
              search: {
                ...(target.value === "" ? {} : { project: target.value }),
                days: asked,
              },
            })
          }
        >
          <option value="">All projects</option>
          {projects.data?.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </Select>
        <Select
          aria-label="Period"
          className="!w-auto"
          value={asked}
          onChange={({ target }) =>
            void navigate({
              replace: true,
              search: (before) => ({ ...before, days: Number(target.value) }),
            })
          }
        >
          {PERIODS.map(({ days, label }) => (
            <option key={days} value={days}>
              {label}
            </option>
          ))}
        </Select>
      </header>
      <div className="min-h-0 flex-1 overflow-y-auto px-4 py-4">
        {found.length === 0 ? (
          <Empty title="No runs in this period">
            {runs.data.length === 0
              ? "What runs cost and how they ended appears here."
              : "Choose a longer period or another project."}
          </Empty>
        ) : (
          <div className="flex max-w-6xl flex-col gap-6">
            <Sums totals={totalsOf(found)} />
            <Suspense fallback={<Skeleton lines={10} />}>
              <UsageCharts runs={found} days={axis(found, days, minute)} agents={agents} />
            </Suspense>
            <section aria-labelledby="by-project" className="border-t pt-4">
              <h2 id="by-project" className="mb-1 font-medium">
                By project
              </h2>
              <NumbersTable
                caption="Totals by project"
                table={{
                  head: ["Project", "Runs", "Done", "Failed", "Tokens", "Cost", "Median time"],
                  rows: byProject.map(({ name, totals }) => [
                    names.get(name) ?? "deleted project",
                    ...cells(totals),
                  ]),
                }}
              />
            </section>
          </div>
        )}
      </div>
    </div>
  );
}
