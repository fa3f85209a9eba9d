// Toasts say what failed and offer the way out. Their code is loaded with the first one.

export interface WayOut {
  label: string;
  onClick: () => void;
}

type Say = typeof import("./toaster");

function say(act: (toaster: Say) => void) {
  void import("./toaster").then(async (toaster) => {
    await toaster.ready;
    act(toaster);
  });
}

export function told(message: string, wayOut?: WayOut) {
  say(({ toast }) => toast.success(message, wayOut ? { action: wayOut } : {}));
}

export function failed(what: string, error: unknown, wayOut?: WayOut) {
  const description = error instanceof Error ? error.message : String(error);
  say(({ toast }) =>
    toast.error(what, { description, duration: 12_000, ...(wayOut ? { action: wayOut } : {}) }),
  );
}
