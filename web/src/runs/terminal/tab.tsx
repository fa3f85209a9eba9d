import type { TabProps } from "../run-page";

export default function TerminalTab({ run }: TabProps) {
  return <p className="p-4">{run.id}</p>;
}
