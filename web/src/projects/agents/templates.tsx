import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { Template } from "@/api/client";
import { templatesQuery } from "@/api/queries";
import { Input } from "@/ui/field";
import { Failed, Skeleton } from "@/ui/panes";
import { byGroup } from "./template-groups";

/** The templates by group, with a filter. `onBlank` starts from a blank agent. */
export function Templates(props: { onPick: (template: Template) => void; onBlank: () => void }) {
  const { onPick, onBlank } = props;
  const templates = useQuery(templatesQuery());
  const [filter, setFilter] = useState("");
  const groups = useMemo(() => byGroup(templates.data ?? [], filter), [templates.data, filter]);
  if (templates.isPending) return <Skeleton />;
  if (templates.isError) {
    return <Failed error={templates.error} retry={() => void templates.refetch()} />;
  }
  const card =
    "rounded-md border border-line-strong px-3 py-2 text-left hover:bg-hover min-w-0 block w-full";
  return (
    <div>
      <Input
        type="search"
        aria-label="Filter templates"
        placeholder="Filter templates"
        value={filter}
        onChange={(event) => setFilter(event.target.value)}
      />
      <button type="button" className={`${card} mt-3`} onClick={onBlank}>
        <span className="font-medium">Blank agent</span>
        <span className="block text-muted">No instructions, all defaults.</span>
      </button>
      {groups.map(({ group, templates }) => (
        <section key={group} aria-label={group}>
          <h3 className="mt-4 mb-1.5 text-xs font-semibold tracking-wide text-muted uppercase">
            {group}
          </h3>
          <div className="grid gap-2 sm:grid-cols-2">
            {templates.map((template) => (
              <button
                key={template.name}
                type="button"
                className={card}
                title={template.instructions}
                onClick={() => onPick(template)}
              >
                <span className="font-medium">{template.name}</span>
                <span className="block text-muted">{template.description}</span>
              </button>
            ))}
          </div>
        </section>
      ))}
      {groups.length === 0 && <p className="mt-3 text-muted">No template matches.</p>}
    </div>
  );
}
