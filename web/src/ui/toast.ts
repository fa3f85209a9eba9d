// Toasts say what failed and offer the way out.
import { toast } from "sonner";

export interface WayOut {
  label: string;
  onClick: () => void;
}

export function told(message: string, wayOut?: WayOut) {
  toast.success(message, wayOut ? { action: wayOut } : {});
}

export function failed(what: string, error: unknown, wayOut?: WayOut) {
  const description = error instanceof Error ? error.message : String(error);
  toast.error(what, { description, duration: 12_000, ...(wayOut ? { action: wayOut } : {}) });
}
