const MAX_LENGTH = 500;

/** An error's words for operators: one line, and no mail address in it, whoever wrote them (RFC 5321, 4.1.2 and RFC 6531, in outline). */
export function withoutPerson(words: string): string {
  return words
    .toWellFormed()
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replace(/(?:"[^"]*"|[^\s<>()[\],;:"@]+)@(?:\[[^\]\s]*\]|[^\s<>()[\],;:"@]+)/gu, '[address]')
    .slice(0, MAX_LENGTH);
}
