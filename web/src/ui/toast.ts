// Toasts: what failed, and an action.

export interface ToastAction {
  label: string;
  onClick: () => void;
}

type Toaster = typeof import("./toaster");

/** Loads their code in advance: it could not be loaded when the server is unreachable. */
export const loadToasts = (): Promise<Toaster> => import("./toaster");

function withToaster(act: (toaster: Toaster) => void) {
  void loadToasts().then(async (toaster) => {
    await toaster.ready;
    act(toaster);
  });
}

export function succeeded(message: string, action?: ToastAction) {
  withToaster(({ toast }) => toast.success(message, action ? { action: action } : {}));
}

/** What happened without the user. */
export function told(message: string, description: string) {
  withToaster(({ toast }) => toast.message(message, { description, duration: 8000 }));
}

export function failed(what: string, error: unknown, action?: ToastAction | undefined) {
  const description = error instanceof Error ? error.message : String(error);
  withToaster(({ toast }) =>
    toast.error(what, { description, duration: 12_000, ...(action ? { action: action } : {}) }),
  );
}
