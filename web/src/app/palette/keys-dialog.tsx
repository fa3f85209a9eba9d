import { Dialog } from "@/ui/dialog";
import { Kbd } from "@/ui/kbd";
import { KEYS } from "../key-list";

/** The dialog with all keyboard shortcuts. */
export function KeysDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title="Keyboard shortcuts" wide>
      <div
        role="group"
        aria-label="All keyboard shortcuts"
        tabIndex={0} // it scrolls
        className="grid gap-x-8 gap-y-4 pt-1 sm:grid-cols-2"
      >
        {KEYS.map(({ title, lines }) => (
          <section key={title} aria-label={title}>
            <h3 className="border-b pb-1 text-xs font-semibold tracking-wide text-muted uppercase">
              {title}
            </h3>
            <dl>
              {lines.map(({ keys, what }) => (
                <div key={what} className="flex items-baseline gap-3 py-1">
                  <dt className="flex w-28 shrink-0 flex-wrap gap-1">
                    {keys.map((key) => (
                      <Kbd key={key}>{key}</Kbd>
                    ))}
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <p className="mt-3 text-muted">
        Single-letter shortcuts are off while you type, in a terminal and in dialogs.
      </p>
    </Dialog>
  );
}
