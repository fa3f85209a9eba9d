import { Minus, Plus } from "lucide-react";
import type { Agent, Provider } from "@/api/client";
import { Installed } from "@/projects/agents/cli";
import { Button } from "@/ui/button";
import { Check } from "@/ui/field";
import { ATTEMPTS_MAX, totalOf, withCount, type Wanted } from "./attempts";

interface Props {
  agents: Agent[];
  providers: Provider[];
  wanted: Wanted;
  onChange: (wanted: Wanted) => void;
}

/** Which agents attempt the task, and how often each. */
export function AgentChoice({ agents, providers, wanted, onChange }: Props) {
  const full = totalOf(wanted) >= ATTEMPTS_MAX;
  return (
    <fieldset className="mt-3">
      <legend className="mb-1 font-medium">Agents</legend>
      <ul className="rounded-md border border-line-strong">
        {agents.map((agent) => {
          const count = wanted[agent.id] ?? 0;
          const provider = providers.find((known) => known.id === agent.cli_name);
          const set = (n: number) => onChange(withCount(wanted, agent.id, n));
          return (
            <li
              key={agent.id}
              className="flex min-h-10 items-center gap-2 border-b px-2.5 last:border-b-0"
            >
              <div className="min-w-0 flex-1">
                <Check
                  checked={count > 0}
                  disabled={count === 0 && full}
                  onChange={(event) => set(event.target.checked ? 1 : 0)}
                  label={
                    <span className="flex min-w-0 flex-wrap items-baseline gap-x-2">
                      <span className="font-medium break-words">{agent.name}</span>
                      <span className="text-muted">
                        {provider?.label ?? agent.cli_name}
                        {agent.model ? ` · ${agent.model}` : ""}
                      </span>
                      <Installed provider={provider} />
                    </span>
                  }
                />
              </div>
              {count > 0 && (
                <span role="group" aria-label={`Attempts by ${agent.name}`} className="flex">
                  <Button
                    kind="quiet"
                    icon={<Minus size={14} />}
                    aria-label={`Fewer attempts by ${agent.name}`}
                    disabled={count === 1}
                    onClick={() => set(count - 1)}
                  />
                  <output className="min-w-7 self-center text-center">×{count}</output>
                  <Button
                    kind="quiet"
                    icon={<Plus size={14} />}
                    aria-label={`More attempts by ${agent.name}`}
                    disabled={full}
                    onClick={() => set(count + 1)}
                  />
                </span>
              )}
            </li>
          );
        })}
      </ul>
      <p className="mt-1 text-xs text-muted">
        Several agents, or several attempts by one agent, work on the same task in parallel. Compare
        the results and keep one.
      </p>
    </fieldset>
  );
}
