// The typed HTTP client. Its types are generated from schema/openapi.json (`npm run api`).
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type Run = Schemas["RunView"];
export type Project = Schemas["ProjectView"];
/** The generated types take an object without listed keys for an empty one. */
type Open<T> = Omit<T, "provider_config"> & { provider_config: Record<string, unknown> };
export type Agent = Open<Schemas["AgentView"]>;
export type Changes = Schemas["ChangesView"];
export type FileChange = Schemas["FileChangeView"];
export type Branch = Schemas["BranchView"];
export type Template = Schemas["TemplateView"];
export type Provider = Schemas["ProviderView"];
export type Task = Schemas["TaskView"];
export type LeftOut = Schemas["LeftOutView"];

/** An event of a run, as the API and the streams give it; `event_type` tells which payload. */
export type RunEvent = Schemas["EventView"];
/** The payload of events of a type. */
export type Payload<T extends RunEvent["event_type"]> = Extract<
  RunEvent,
  { event_type: T }
>["payload"];

export const api = createClient<paths>({ baseUrl: "" });

/** A refused or failed call. `message` is the server's own sentence, fit to be shown. */
export class CallError extends Error {
  /** HTTP status; 0 when the server was not reached. */
  readonly status: number;
  /** The stable name of the error, as `X-Error-Code` has it. */
  readonly code: string | undefined;
  constructor(status: number, message: string, code?: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

type Answer<T> = { data?: T; error?: unknown; response: Response };

/**
 * The data of a call, or a `CallError` with what the server said.
 * Errors of the API are plain text, which openapi-fetch hands over as a string.
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
  const said = typeof answer.error === "string" ? answer.error.trim() : "";
  throw new CallError(
    response.status,
    said || `The server answered ${response.status}.`,
    response.headers.get("x-error-code") ?? undefined,
  );
}
