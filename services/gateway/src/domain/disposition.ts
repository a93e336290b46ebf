/**
 * `Content-Disposition` (RFC 6266, with the name in both forms: RFC 6266 D and RFC 8187). The plain form is for old clients: what is not
 * plain there is `_`, the percent sign too, since some decode it and some do not.
 */
export function contentDisposition(type: 'inline' | 'attachment', name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/gu, '_');
  return `${type}; filename="${plain}"; filename*=UTF-8''${encodeExtended(name)}`;
}

/** RFC 8187, 3.2.1: everything but attr-char as percent-encoded UTF-8. A lone surrogate goes as U+FFFD. */
function encodeExtended(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
