import { Dialog as Radix } from "radix-ui";
import { X } from "lucide-react";
import { useRef, useState, type ReactNode } from "react";
import { Button } from "./button";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description?: ReactNode;
  children?: ReactNode;
  /** Buttons, the primary one last. */
  footer?: ReactNode;
  wide?: boolean;
}

/** A modal dialog; on a phone it fills the width at the bottom. */
export function Dialog({ open, onOpenChange, title, description, children, footer, wide }: Props) {
  const body = useRef<HTMLDivElement>(null);
  /** Focus the first field rather than the close button. */
  const begin = (event: Event) => {
    const field = body.current?.querySelector<HTMLElement>("input, textarea, select");
    if (!field) return;
    event.preventDefault();
    field.focus();
  };
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-sunken/70" />
        <Radix.Content
          {...(description === undefined ? { "aria-describedby": undefined } : {})}
          onOpenAutoFocus={begin}
          className={`fixed z-50 flex max-h-[88dvh] flex-col rounded-lg border border-line-strong bg-surface shadow-xl max-md:inset-x-0 max-md:bottom-0 max-md:rounded-b-none md:top-[12vh] md:left-1/2 md:-translate-x-1/2 ${wide ? "md:w-[46rem]" : "md:w-[30rem]"}`}
        >
          <header className="flex items-start gap-2 px-4 pt-3 pb-1">
            <Radix.Title className="flex-1 text-lg font-semibold">{title}</Radix.Title>
            <Radix.Close asChild>
              <Button kind="quiet" icon={<X size={16} />} aria-label="Close" />
            </Radix.Close>
          </header>
          <div ref={body} className="min-h-0 flex-1 overflow-y-auto px-4 pb-4">
            {description !== undefined && (
              <Radix.Description asChild>
                <div className="text-muted">{description}</div>
              </Radix.Description>
            )}
            {children}
          </div>
          {footer && (
            <footer className="flex justify-end gap-2 border-t px-4 py-2.5">{footer}</footer>
          )}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

interface ConfirmProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  /** What is lost, and whether it can be undone. */
  children: ReactNode;
  action: string;
  danger?: boolean;
  onConfirm: () => Promise<unknown>;
}

/** Confirms an action that the same button cannot undo. */
export function Confirm(props: ConfirmProps) {
  const { open, onOpenChange, title, children, action, danger, onConfirm } = props;
  const [busy, setBusy] = useState(false);
  const confirm = async () => {
    setBusy(true);
    try {
      await onConfirm();
      onOpenChange(false);
    } catch {
      // The caller has shown the error; the dialog stays open for another try.
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={title}
      description={children}
      footer={
        <>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button kind={danger ? "danger" : "primary"} busy={busy} onClick={() => void confirm()}>
            {action}
          </Button>
        </>
      }
    />
  );
}
