/** What a name in an archive ends with where it had to be changed: the node's id, before the extension. */
const MARK = / \([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\)(?:\.[^.]*)?$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a name must not hold
const UNSAFE = /[\x00-\x1f\x7f\\/]/g;

/**
 * The name of a node within an archive. Some programs take `\` for a separator and `C:` for a drive, so neither is passed on: what is
 * unpacked stays where it is unpacked. `isTwin`: a sibling has this name already (a folder beside a file). A name that is changed gets the
 * node's id, and so does one that looks like it: no two siblings have the same, however they are called.
 */
export function archiveName({ id, name }: { id: string; name: string }, isTwin: boolean): string {
  const safe = name
    .toWellFormed()
    .replace(UNSAFE, '_')
    .replace(/^([A-Za-z]):/, '$1_')
    .replace(/^\.{1,2}$/, '_');
  if (safe !== '' && safe === name && !isTwin && !MARK.test(name)) return name;
  const dot = safe.lastIndexOf('.');
  const stem = dot > 0 ? safe.slice(0, dot) : safe;
  const extension = dot > 0 ? safe.slice(dot) : '';
  return `${stem} (${id})${extension}`;
}
