// List and work side by side; on a phone one after the other.
import { Outlet, useParams, useLocation } from "@tanstack/react-router";
import { clsx } from "clsx";
import { RunList } from "./list";

export function RunsLayout() {
  const { runId } = useParams({ strict: false });
  const { pathname } = useLocation();
  const working = runId !== undefined || pathname.endsWith("/new");
  return (
    <div className="flex h-full min-h-0">
      <section
        aria-label="Runs"
        className={clsx(
          "flex min-h-0 shrink-0 flex-col border-r md:w-80 xl:w-96",
          working ? "max-md:hidden" : "max-md:w-full",
        )}
      >
        <RunList />
      </section>
      <section
        aria-label="Run"
        className={clsx("min-h-0 min-w-0 flex-1", !working && "max-md:hidden")}
      >
        <Outlet />
      </section>
    </div>
  );
}
