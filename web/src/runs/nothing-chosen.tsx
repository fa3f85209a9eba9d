import { Empty } from "@/ui/panes";

export function NothingChosen() {
  return (
    <Empty title="Choose a run">
      <p>
        <kbd>j</kbd> and <kbd>k</kbd> move through the list, <kbd>n</kbd> starts a new run,{" "}
        <kbd>?</kbd> lists all keys.
      </p>
    </Empty>
  );
}
