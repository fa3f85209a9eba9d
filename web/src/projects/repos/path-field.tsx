import { useQuery, keepPreviousData } from "@tanstack/react-query";
import { clsx } from "clsx";
import { Folder, FolderGit2 } from "lucide-react";
import { useId, useState, type KeyboardEvent } from "react";
import { foldersQuery } from "@/api/queries";
import { Field, Input } from "@/ui/field";
import { folderOf } from "./name";

interface Props {
  label?: string;
  value: string;
  onChange: (path: string) => void;
  /** A repository was chosen from the list. */
  onPick?: (path: string) => void;
  error?: string | undefined;
  autoFocus?: boolean;
}

/**
 * A path, completed from the folders under the home folder. Choosing a folder opens it; choosing a
 * repository completes the path. Any other path can be typed; the server validates it.
 */
export function PathField({ label = "Repository", value, onChange, onPick, ...rest }: Props) {
  const list = useId();
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const asked = useQuery({
    ...foldersQuery(value),
    enabled: open,
    placeholderData: keepPreviousData,
    retry: false,
  });
  const folders = (open && !asked.isError && asked.data) || [];
  const at = Math.min(active, folders.length - 1);

  const type = (next: string) => {
    onChange(next);
    setOpen(true);
    setActive(-1);
  };
  const take = (index: number) => {
    const folder = folders[index];
    if (!folder) return;
    setActive(-1);
    if (folder.is_repo) {
      setOpen(false);
      onChange(folder.path);
      onPick?.(folder.path);
    } else {
      onChange(`${folder.path}/`);
    }
  };
  const key = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      if (!open) setOpen(true);
      else if (folders.length > 0) {
        setActive(at < 0 && step < 0 ? folders.length - 1 : (at + step) % folders.length);
      }
    } else if (event.key === "Enter" && open && at >= 0) {
      event.preventDefault();
      take(at);
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      event.stopPropagation(); // keep the dialog open
      setOpen(false);
    }
  };
  const shown = open && folders.length > 0;
  return (
    <Field
      label={label}
      error={rest.error}
      hint="The folder of a git checkout. Type a path, or choose one with the arrow keys and Enter."
    >
      {(ids) => (
        <div className="relative">
          <Input
            {...ids}
            role="combobox"
            aria-autocomplete="list"
            aria-expanded={shown}
            aria-controls={list}
            aria-activedescendant={shown && at >= 0 ? `${list}-${at}` : undefined}
            autoFocus={rest.autoFocus}
            autoComplete="off"
            spellCheck={false}
            placeholder="/home/you/project"
            className="font-mono"
            value={value}
            onChange={(event) => type(event.target.value)}
            onFocus={() => setOpen(true)}
            onClick={() => setOpen(true)}
            onBlur={() => setOpen(false)}
            onKeyDown={key}
          />
          <ul
            id={list}
            role="listbox"
            aria-label="Folders"
            hidden={!shown}
            className="absolute inset-x-0 top-full z-10 mt-1 max-h-56 overflow-y-auto rounded-md border border-line-strong bg-raised p-1 shadow-lg"
          >
            {folders.map((folder, index) => (
              <li
                key={folder.path}
                id={`${list}-${index}`}
                role="option"
                aria-selected={index === at}
                ref={index === at ? (row) => row?.scrollIntoView({ block: "nearest" }) : undefined}
                // Not onClick: the field would lose the focus first, which closes the list.
                onMouseDown={(event) => {
                  event.preventDefault();
                  take(index);
                }}
                className={clsx(
                  "flex cursor-pointer items-center gap-2 rounded px-2 py-1 max-md:py-2",
                  index === at ? "bg-hover" : "hover:bg-hover",
                )}
              >
                {folder.is_repo ? (
                  <FolderGit2 size={15} className="shrink-0 text-accent" aria-hidden />
                ) : (
                  <Folder size={15} className="shrink-0 text-muted" aria-hidden />
                )}
                <span className="shrink-0 font-medium">{folderOf(folder.path)}</span>
                <span className="min-w-0 flex-1 truncate font-mono text-xs text-muted">
                  {folder.path}
                </span>
                {folder.is_repo && <span className="text-xs text-accent">repository</span>}
              </li>
            ))}
          </ul>
        </div>
      )}
    </Field>
  );
}
