import type { TabProps } from "../run-page";

export default function ChangesTab({ run }: TabProps) {
  return <p className="p-4">{run.id}</p>;
}
