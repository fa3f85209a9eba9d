// The routes. Code that the first view does not need is loaded on demand.
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { part } from "@/lib/part";
import { RunsLayout } from "@/runs/layout";
import { NothingChosen } from "@/runs/nothing-chosen";
import { Empty, Failed, Skeleton } from "@/ui/panes";
import { Shell } from "./shell";

const root = createRootRoute({
  component: Shell,
  errorComponent: ({ error }) => <Failed error={error} />,
  notFoundComponent: () => (
    <Empty title="Page not found">
      <a className="text-accent underline" href="/runs">
        All runs
      </a>
    </Empty>
  ),
});

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/runs" });
  },
});

const runs = createRoute({ getParentRoute: () => root, path: "/runs", component: RunsLayout });
const noRun = createRoute({ getParentRoute: () => runs, path: "/", component: NothingChosen });
const newRun = createRoute({
  getParentRoute: () => runs,
  path: "/new",
  validateSearch: (
    search: Record<string, unknown>,
  ): { project?: string; task?: string; demo?: true } => ({
    ...(typeof search["project"] === "string" ? { project: search["project"] } : {}),
    ...(typeof search["task"] === "string" ? { task: search["task"] } : {}),
    ...(search["demo"] === true ? { demo: true } : {}),
  }),
  component: lazyRouteComponent(() => part(() => import("@/new-run/page")), "NewRunPage"),
});
const run = createRoute({
  getParentRoute: () => runs,
  path: "/$runId",
  beforeLoad: ({ params, location }) => {
    if (location.pathname.replace(/\/$/, "").endsWith(params.runId)) {
      throw redirect({ to: "/runs/$runId/$tab", params: { ...params, tab: "terminal" } });
    }
  },
});
const runTab = createRoute({
  getParentRoute: () => run,
  path: "/$tab",
  validateSearch: (search: Record<string, unknown>): { at?: number } =>
    typeof search["at"] === "number" ? { at: search["at"] } : {},
  component: lazyRouteComponent(() => part(() => import("@/runs/run-page")), "RunPage"),
});
const inbox = createRoute({
  getParentRoute: () => root,
  path: "/inbox",
  component: lazyRouteComponent(() => part(() => import("@/approvals/page")), "InboxPage"),
});
const compare = createRoute({
  getParentRoute: () => root,
  path: "/compare",
  validateSearch: (search: Record<string, unknown>): { runs: string } => ({
    runs: typeof search["runs"] === "string" ? search["runs"] : "",
  }),
  component: lazyRouteComponent(() => part(() => import("@/new-run/compare")), "ComparePage"),
});
const projects = createRoute({
  getParentRoute: () => root,
  path: "/projects",
  component: lazyRouteComponent(() => part(() => import("@/projects/list")), "ProjectsPage"),
});
const project = createRoute({
  getParentRoute: () => root,
  path: "/projects/$projectId/$tab",
  component: lazyRouteComponent(() => part(() => import("@/projects/page")), "ProjectPage"),
});
const usage = createRoute({
  getParentRoute: () => root,
  path: "/usage",
  validateSearch: (search: Record<string, unknown>): { project?: string; days?: number } => ({
    ...(typeof search["project"] === "string" ? { project: search["project"] } : {}),
    ...(typeof search["days"] === "number" ? { days: search["days"] } : {}),
  }),
  component: lazyRouteComponent(() => part(() => import("@/usage/page")), "UsagePage"),
});
const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings/$tab",
  component: lazyRouteComponent(() => part(() => import("@/settings/page")), "SettingsPage"),
});

const tree = root.addChildren([
  home,
  runs.addChildren([noRun, newRun, run.addChildren([runTab])]),
  inbox,
  compare,
  projects,
  project,
  usage,
  settings,
]);

export function makeRouter() {
  return createRouter({
    routeTree: tree,
    defaultPendingComponent: () => <Skeleton />,
    defaultErrorComponent: ({ error, reset }) => <Failed error={error} retry={reset} />,
    scrollRestoration: false,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
