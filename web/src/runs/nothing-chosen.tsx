import { Empty } from "@/ui/panes";

export function NothingChosen() {
  return (
    <Empty title="Select a run">
      <p>
        <kbd>j</kbd> and <kbd>k</kbd> move through the list, <kbd>n</kbd> starts a new run,{" "}
        <kbd>?</kbd> shows all keyboard shortcuts.
      </p>
    </Empty>
  );
}
