// Names suggested from folders.

/** The last folder of a path, or "". */
export function folderOf(path: string): string {
  return path.replace(/\/+$/, "").split("/").at(-1) ?? "";
}

/** A repo name (1 to 64 of `A-Za-z0-9._-`) made from the folder; not one of `taken`. */
export function repoName(path: string, taken: readonly string[] = []): string {
  const plain = folderOf(path)
    .normalize("NFKD")
    .replace(/\.git$/, "")
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[.-]+|-+$/g, "")
    .slice(0, 60);
  if (plain === "" || !taken.includes(plain)) return plain;
  let at = 2;
  while (taken.includes(`${plain}-${at}`)) at += 1;
  return `${plain}-${at}`;
}
