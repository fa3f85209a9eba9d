// An open row: its events from the log.
import { useMemo } from "react";
import { Skeleton } from "@/ui/panes";
import type { RunEvent } from "@/api/client";
import { ToolInput } from "@/approvals/tool-input";
import { editDiff } from "./diff";
import { DiffView } from "./diff-view";
import { isObject, shortPath, str } from "./essence";
import { Code } from "./parts";
import { useDetails } from "./context";
import type { Row } from "./row";
import { cutNote } from "./sentence";

const pretty = (value: unknown) => JSON.stringify(value, null, 2);

/** A tool's response for people: text as it is, output before errors. */
export function outputOf(response: unknown): string {
  if (typeof response === "string") return response;
  if (!isObject(response)) return response === undefined ? "" : pretty(response);
  const { stdout, stderr, content, file } = response;
  if (typeof stdout === "string") {
    return [stdout, str(stderr) ?? ""].filter((text) => text !== "").join("\n");
  }
  if (isObject(file) && typeof file["content"] === "string") return file["content"];
  if (Array.isArray(content) && content.every((part) => isObject(part) && str(part["text"]))) {
    return content
      .filter(isObject)
      .map((part) => str(part["text"]))
      .join("\n");
  }
  return pretty(response);
}

function Titled({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <div className="mt-2 first:mt-0">
      <h4 className="mb-0.5 text-xs text-muted">{title}</h4>
      {children}
    </div>
  );
}

function ToolDetails({ first, last }: { first: RunEvent; last: RunEvent }) {
  const call = first.event_type === "agent.tool_call" ? first.payload : undefined;
  const answer = last.event_type === "agent.tool_result" ? last.payload : undefined;
  const name = call?.tool_name ?? answer?.tool_name ?? "";
  const input = call?.tool_input;
  const response = answer?.tool_response;
  const error = answer?.error ?? undefined;
  const diffs = useMemo(() => editDiff(name, input, response), [name, input, response]);
  const command = isObject(input) ? (str(input["command"]) ?? str(input["cmd"])) : undefined;
  const output = diffs && error === undefined ? "" : (error ?? outputOf(response));
  const cut = isObject(response)
    ? cutNote(response, "stdout")
    : cutNote(last.payload, "tool_response");
  return (
    <>
      {diffs?.map((file, at) => (
        <DiffView key={at} file={file} path={shortPath(file.path, [])} />
      ))}
      {!diffs && call && (
        <Titled title="Input">
          <Code
            label={`Input of ${name}`}
            text={command !== undefined ? `$ ${command}` : (str(input) ?? pretty(input))}
          />
        </Titled>
      )}
      {output !== "" && (
        <Titled title={error === undefined ? "Output" : "Error"}>
          <Code label={`Output of ${name}`} text={output} />
        </Titled>
      )}
      {answer && output === "" && !diffs && <p className="mt-1 text-xs text-muted">No output.</p>}
      {!answer && <p className="mt-1 text-xs text-muted">No result in the log yet.</p>}
      {cut !== "" && <p className="mt-1 text-xs text-muted">{cut}</p>}
    </>
  );
}

/** What an opened row shows below its line. */
export function RowDetails({ row }: { row: Row }) {
  const details = useDetails(row, true, 0);
  if (!details) return <Skeleton lines={2} />;
  if ("error" in details) {
    return (
      <p role="alert" className="text-bad">
        {details.error}
      </p>
    );
  }
  if (row.kind === "tool") return <ToolDetails first={details.first} last={details.last} />;
  if (details.first.event_type === "approval.requested") {
    const { tool_name: name, tool_input: input } = details.first.payload;
    return <ToolInput name={name} input={input} roots={[]} />;
  }
  const { event_type: type, payload } = details.first;
  return (
    <Titled title={`${type} · event ${row.first}`}>
      <Code label={`Payload of event ${row.first}`} text={pretty(payload)} />
    </Titled>
  );
}
