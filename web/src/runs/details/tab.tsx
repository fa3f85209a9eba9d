import type { TabProps } from "../run-page";

export default function DetailsTab({ run }: TabProps) {
  return <p className="p-4">{run.id}</p>;
}
