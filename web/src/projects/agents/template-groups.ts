import type { Template } from "@/api/client";

/** Templates that contain every word of the filter, by group in the server's order. */
export function byGroup(templates: readonly Template[], filter: string) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map<string, Template[]>();
  for (const template of templates) {
    const { group = "other", name, description, role } = template;
    const text = `${group} ${name} ${description} ${role}`.toLowerCase();
    if (!words.every((word) => text.includes(word))) continue;
    groups.set(group, [...(groups.get(group) ?? []), template]);
  }
  return [...groups].map(([group, templates]) => ({ group, templates }));
}
