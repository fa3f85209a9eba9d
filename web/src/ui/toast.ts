// Toasts say what failed and offer the way out.

export interface WayOut {
  label: string;
  onClick: () => void;
}

type Say = typeof import("./toaster");

/** Loads their code, which cannot be had any more when the server's absence is what they tell. */
export const loadToasts = (): Promise<Say> => import("./toaster");

function say(act: (toaster: Say) => void) {
  void loadToasts().then(async (toaster) => {
    await toaster.ready;
    act(toaster);
  });
}

export function told(message: string, wayOut?: WayOut) {
  say(({ toast }) => toast.success(message, wayOut ? { action: wayOut } : {}));
}

export function failed(what: string, error: unknown, wayOut?: WayOut | undefined) {
  const description = error instanceof Error ? error.message : String(error);
  say(({ toast }) =>
    toast.error(what, { description, duration: 12_000, ...(wayOut ? { action: wayOut } : {}) }),
  );
}
