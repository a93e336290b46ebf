/**
 * Reading TypeScript just well enough to know what a file imports, without a compiler: comments and the insides of
 * strings, templates and regular expressions are blanked first, so that text which only looks like code is never
 * taken for code. Positions stay the same, so a string's value is read back from the original.
 */

export interface Import {
  /** The module's name as written, or null when it is computed (`import(name)`). */
  readonly specifier: string | null;
  /** 1-based. */
  readonly line: number;
}

// A slash after one of these begins a regular expression; after a name, a number or a closing bracket it divides.
const REGEX_MAY_FOLLOW =
  /(?:^|[([{,;=:!&|?+\-*%~^<>}]|\b(?:return|typeof|case|in|of|do|else|void|delete|await|yield))\s*$/;

/** The source with comments and the contents of strings, templates and regular expressions replaced by spaces. */
export function blank(source: string): string {
  const out: string[] = [];
  // Each open `${` remembers how many `{` are open within it; its `}` leads back into the template.
  const substitutions: number[] = [];
  let i = 0;
  let tail = '';

  const keep = (length: number): void => {
    const text = source.slice(i, i + length);
    out.push(text);
    tail = (tail + text).slice(-40);
    i += length;
  };
  const hide = (end: number): void => {
    out.push(source.slice(i, end).replace(/[^\n]/g, ' '));
    i = end;
  };
  const endOf = (closing: string): number => {
    let at = i;
    let inClass = false;
    while (at < source.length) {
      const c = source[at];
      if (c === '\\') at++;
      else if (closing === '/' && c === '[') inClass = true;
      else if (closing === '/' && c === ']') inClass = false;
      else if (c === closing && !inClass) return at;
      else if (closing === '`' && c === '$' && source[at + 1] === '{') return at;
      else if (c === '\n' && closing !== '`') return at;
      at++;
    }
    return Math.min(at, source.length);
  };
  const template = (): void => {
    hide(endOf('`'));
    if (source.startsWith('${', i)) {
      substitutions.push(0);
      keep(2);
    } else keep(1);
  };

  while (i < source.length) {
    const c = source[i];
    const depth = substitutions.length - 1;
    if (source.startsWith('//', i) || source.startsWith('#!', i)) hide(lineEnd(source, i));
    else if (source.startsWith('/*', i)) hide(after(source, '*/', i + 2));
    else if (c === "'" || c === '"') {
      keep(1);
      hide(endOf(c));
      keep(1);
    } else if (c === '`') {
      keep(1);
      template();
    } else if (c === '/' && REGEX_MAY_FOLLOW.test(tail)) {
      keep(1);
      hide(endOf('/'));
      keep(1);
    } else if (c === '}' && substitutions[depth] === 0) {
      substitutions.pop();
      keep(1);
      template();
    } else {
      const open = substitutions[depth];
      if (open !== undefined && c === '{') substitutions[depth] = open + 1;
      if (open !== undefined && c === '}') substitutions[depth] = open - 1;
      keep(1);
    }
  }
  return out.join('');
}

// `import … from 'x'` and `export … from 'x'` hold no string, bracket of a call or semicolon before the `from`.
const STATEMENT = /\b(?:import|export)\b[^'"`;()=]*?\bfrom\s*(['"])( *)\1/g;
const BARE = /\bimport\s*(['"])( *)\1/g;
const CALL = /(?:\bimport|\brequire)\s*\(\s*(?:(['"])( *)\1)?/g;

/** Every module that a source names: import and export statements (types too), `import()` and `require()`. */
export function importsOf(source: string): Import[] {
  const code = blank(source);
  const found: Import[] = [];
  for (const pattern of [STATEMENT, BARE, CALL]) {
    for (const match of code.matchAll(pattern)) {
      const end = match.index + match[0].length;
      const quoted = match[1] !== undefined;
      const specifier = quoted ? source.slice(end - 1 - (match[2] ?? '').length, end - 1) : null;
      found.push({ specifier, line: lineOf(source, match.index) });
    }
  }
  return found;
}

/** The 1-based lines on which the environment is read, by whatever spelling. */
export function environmentReads(source: string): number[] {
  const code = blank(source);
  const lines = [...code.matchAll(/\bprocess\s*\??\.\s*env\b/g)].map((match) => lineOf(source, match.index));
  for (const match of source.matchAll(/\bprocess\s*\[\s*['"`]env['"`]\s*\]/g)) {
    if (code.startsWith('process', match.index)) lines.push(lineOf(source, match.index));
  }
  for (const match of code.matchAll(/\b(?:const|let|var)\s*\{[^}]*\benv\b[^}]*\}\s*=\s*process\b/g)) {
    lines.push(lineOf(source, match.index));
  }
  for (const match of code.matchAll(/\bimport\s*\{[^}]*\benv\b[^}]*\}\s*from\s*(['"])( *)\1/g)) {
    const end = match.index + match[0].length - 1;
    if (/^(?:node:)?process$/.test(source.slice(end - (match[2] ?? '').length, end))) {
      lines.push(lineOf(source, match.index));
    }
  }
  return lines;
}

export function lineOf(source: string, index: number): number {
  let line = 1;
  for (let at = source.indexOf('\n'); at !== -1 && at < index; at = source.indexOf('\n', at + 1)) line++;
  return line;
}

function lineEnd(source: string, from: number): number {
  const at = source.indexOf('\n', from);
  return at === -1 ? source.length : at;
}

function after(source: string, text: string, from: number): number {
  const at = source.indexOf(text, from);
  return at === -1 ? source.length : at + text.length;
}
