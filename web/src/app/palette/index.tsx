// The command palette and the list of keys; loaded when either is first opened.
import { useQuery } from "@tanstack/react-query";
import { useParams, useRouter } from "@tanstack/react-router";
import { Command } from "cmdk";
import { Search } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import { useMemo, useRef, useState } from "react";
import type { Run } from "@/api/client";
import { projectsQuery, runQuery, runsQuery } from "@/api/queries";
import { setTheme } from "@/lib/theme";
import { runAction, useRunCalls } from "@/runs/actions";
import { DeleteDialog } from "@/runs/delete-dialog";
import { MESSAGE_BOX_ID } from "@/runs/message-box-id";
import { Kbd } from "@/ui/kbd";
import { stateOf, StateSign } from "@/ui/state";
import { succeeded } from "@/ui/toast";
import { setOpen, useOpen } from "../palette-state";
import { commands, type Act } from "./commands";
import { KeysDialog } from "./keys-dialog";

/** Most runs in the list until something is typed. */
const UNASKED_RUNS = 8;

function usePerform(remove: (run: Run) => void) {
  const router = useRouter();
  const calls = useRunCalls();
  return (act: Act) => {
    switch (act.do) {
      case "go":
        router.history.push(act.to);
        break;
      case "theme":
        setTheme(act.theme);
        break;
      case "keys":
        setOpen("keys");
        break;
      case "message":
        document.getElementById(MESSAGE_BOX_ID)?.focus();
        break;
      case "pause":
        void runAction("Could not pause the run", () => calls.pause(act.run.id));
        break;
      case "cancel":
        void runAction("Could not cancel the run", () => calls.cancel(act.run.id));
        break;
      case "notify":
        void runAction("Could not save the setting", () =>
          calls.notify(act.run.id, !act.run.notify),
        );
        break;
      case "delete":
        remove(act.run);
        break;
      case "copy-link":
        void runAction("Could not copy the link", async () => {
          await navigator.clipboard.writeText(`${location.origin}/runs/${act.run.id}`);
          succeeded("Link copied.");
        });
        break;
    }
  };
}

function PaletteDialog({ perform }: { perform: (act: Act) => void }) {
  const { runId } = useParams({ strict: false });
  const runs = useQuery(runsQuery()).data;
  const projects = useQuery(projectsQuery()).data;
  const open = useQuery({ ...runQuery(runId ?? ""), enabled: runId !== undefined }).data;
  const [text, setText] = useState("");
  const chosen = useRef<Act>(null);
  const groups = useMemo(() => {
    const all = commands(open, runs ?? [], projects ?? []);
    if (text.trim() !== "") return all;
    return all.map((group) =>
      group.title === "Runs"
        ? { ...group, commands: group.commands.slice(0, UNASKED_RUNS) }
        : group,
    );
  }, [open, runs, projects, text]);
  const byId = useMemo(() => new Map(runs?.map((run) => [run.id, run])), [runs]);
  return (
    <Radix.Root open onOpenChange={(next) => !next && setOpen(null)}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-sunken/70" />
        <Radix.Content
          aria-describedby={undefined}
          className="fixed inset-x-2 top-2 z-50 mx-auto flex max-h-[80dvh] max-w-[38rem] flex-col overflow-hidden rounded-lg border border-line-strong bg-surface shadow-xl md:top-[12vh]"
          onCloseAutoFocus={(event) => {
            if (!chosen.current) return;
            // Only now, when the dialog no longer holds the focus.
            if (chosen.current.do === "message") event.preventDefault();
            perform(chosen.current);
          }}
        >
          <Radix.Title className="sr-only">Command palette</Radix.Title>
          <Command label="Commands" loop className="flex min-h-0 flex-col">
            <div className="flex items-center gap-2 border-b px-3">
              <Search size={15} aria-hidden className="shrink-0 text-muted" />
              <Command.Input
                value={text}
                onValueChange={setText}
                placeholder="Search commands, runs and projects…"
                className="h-11 w-full bg-transparent text-base outline-none placeholder:text-muted"
              />
            </div>
            <Command.List className="min-h-0 flex-1 overflow-y-auto p-1.5">
              <Command.Empty className="p-4 text-center text-muted">No results.</Command.Empty>
              {groups.map(({ title, commands: items }) => (
                <Command.Group
                  key={title}
                  heading={title}
                  className="[&_[cmdk-group-heading]]:px-2 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-0.5 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:font-semibold [&_[cmdk-group-heading]]:text-muted"
                >
                  {items.map((command) => {
                    const run = byId.get(command.id);
                    return (
                      <Command.Item
                        key={command.id}
                        value={command.id}
                        keywords={[command.label, title, ...command.words]}
                        onSelect={() => {
                          chosen.current = command.act;
                          setOpen(null);
                        }}
                        className="flex cursor-pointer items-center gap-2 rounded px-2 py-1.5 data-[selected=true]:bg-hover max-md:py-2.5"
                      >
                        {run && <StateSign state={stateOf(run)} />}
                        <span className="min-w-0 flex-1 truncate">{command.label}</span>
                        {run && <span className="text-xs text-muted">{command.words[1]}</span>}
                        {command.key !== undefined && <Kbd>{command.key}</Kbd>}
                      </Command.Item>
                    );
                  })}
                </Command.Group>
              ))}
            </Command.List>
          </Command>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

export default function Palette() {
  const open = useOpen();
  const [removing, setRemoving] = useState<Run | null>(null);
  const perform = usePerform(setRemoving);
  return (
    <>
      {open === "palette" && <PaletteDialog perform={perform} />}
      {open === "keys" && <KeysDialog onClose={() => setOpen(null)} />}
      {removing && (
        <DeleteDialog run={removing} open onOpenChange={(next) => !next && setRemoving(null)} />
      )}
    </>
  );
}
