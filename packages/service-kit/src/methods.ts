import type { App } from './app.ts';

const SPECIAL = /[.*+?^${}()|[\]\\]/g;

/** Remembers the routes as they are registered and answers which methods a path has, for 405 and its Allow header. */
export function allowedMethods(app: App): (path: string) => string[] {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ method, url }) => {
    // Preflights are answered everywhere; that makes no path one that is there.
    if (url === '*') return;
    const known = methods.get(url) ?? new Set<string>();
    for (const one of [method].flat()) known.add(one);
    methods.set(url, known);
  });
  let patterns: { pattern: RegExp; methods: Set<string> }[] | undefined;
  return (path) => {
    patterns ??= [...methods].map(([url, known]) => ({ pattern: patternOf(url), methods: known }));
    const found = new Set<string>();
    for (const one of patterns) if (one.pattern.test(path)) for (const method of one.methods) found.add(method);
    return [...found].sort();
  };
}

function patternOf(url: string): RegExp {
  const source = url
    .split('/')
    .map((part) => {
      if (part.startsWith(':')) return '[^/]+';
      return part === '*' ? '.*' : part.replace(SPECIAL, '\\$&');
    })
    .join('/');
  return new RegExp(`^${source}$`);
}
