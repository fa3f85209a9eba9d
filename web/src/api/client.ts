// The typed HTTP client. Its types are generated from schema/openapi.json (`npm run api`).
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type Run = Schemas["RunView"];
export type Project = Schemas["ProjectView"];
/** The generated types render a free-form object as an empty one. */
type Open<T> = Omit<T, "provider_config"> & { provider_config: Record<string, unknown> };
export type Agent = Open<Schemas["AgentView"]>;
export type Changes = Schemas["ChangesView"];
export type FileChange = Schemas["FileChangeView"];
export type Branch = Schemas["BranchView"];
export type Template = Schemas["TemplateView"];
export type Provider = Schemas["ProviderView"];
export type Task = Schemas["TaskView"];
export type Approval = Schemas["ApprovalView"];
export type LeftOut = Schemas["LeftOutView"];

/** An event of a run as the API and the streams send it, discriminated by `event_type`. */
export type RunEvent = Schemas["EventView"];
/** The payload of one event type. */
export type Payload<T extends RunEvent["event_type"]> = Extract<
  RunEvent,
  { event_type: T }
>["payload"];

export const api = createClient<paths>({ baseUrl: "" });

/** A refused or failed call. `message` is the server's sentence and can be shown as it is. */
export class CallError extends Error {
  /** HTTP status; 0 when the server was not reached. */
  readonly status: number;
  /** The stable error code, from `X-Error-Code`. */
  readonly code: string | undefined;
  /** The path of the field whose value was refused, from `X-Error-Field`. */
  readonly field: string | undefined;
  constructor(status: number, message: string, code?: string, field?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.field = field;
  }
}

type Answer<T> = { data?: T; error?: unknown; response: Response };

/**
 * The data of a call, or a `CallError` with the server's message. API errors are plain text, which
 * openapi-fetch returns as a string.
 */
export async function data<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch {
    throw new CallError(0, "The server cannot be reached.");
  }
  const { response } = answer;
  if (response.ok) return answer.data as T;
  const message = typeof answer.error === "string" ? answer.error.trim() : "";
  const field = response.headers.get("x-error-field");
  throw new CallError(
    response.status,
    message || `The server answered ${response.status}.`,
    response.headers.get("x-error-code") ?? undefined,
    field === null ? undefined : decodeURIComponent(field),
  );
}
