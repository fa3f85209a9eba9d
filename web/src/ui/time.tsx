import { useNow } from "@/lib/clock";
import { age, exact } from "@/lib/format";

/** How long ago; the exact time on hover. */
export function Age({ time, className }: { time: string; className?: string }) {
  const now = useNow();
  return (
    <time dateTime={time} title={exact(time)} className={className}>
      {age(now - Date.parse(time))}
    </time>
  );
}
