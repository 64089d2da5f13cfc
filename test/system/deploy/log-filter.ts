// The part of the Logging query language that deploy/monitoring and its playbooks use, run over log entries, and the
// extractors of log-based metrics. What it does not know is an error, and so is AND with OR without parentheses: OR
// binds tighter there, which nobody expects. Source: docs.cloud.google.com/logging/docs/view/logging-query-language.

import type { LogEntry } from './log-filter-entry.ts';

export type LogFilter = (entry: LogEntry) => boolean;

const SEVERITIES = ['DEFAULT', 'DEBUG', 'INFO', 'NOTICE', 'WARNING', 'ERROR', 'CRITICAL', 'ALERT', 'EMERGENCY'];
const PATH =
  /^(?:(?:jsonPayload|labels)(?:\.[A-Za-z_][A-Za-z0-9_]*)+|resource\.type|resource\.labels\.(?:service_name|revision_name)|logName|severity|trace|timestamp|httpRequest\.(?:requestMethod|requestUrl|status|userAgent|remoteIp|latency))$/;

interface Token {
  readonly kind: 'word' | 'string' | 'number' | 'operator' | 'parenthesis';
  readonly text: string;
}

function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  const lexer =
    /\s+|(?<string>"(?:[^"\\\n]|\\["\\])*")|(?<number>-?\d+(?:\.\d+)?(?![\w.]))|(?<operator>=~|!=|>=|[=<>:])|(?<parenthesis>[()])|(?<word>[A-Za-z_][\w.]*)/gy;
  let at = 0;
  for (let match = lexer.exec(source); match; match = lexer.exec(source)) {
    at = lexer.lastIndex;
    const [kind, text] = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined) ?? [];
    if (kind && text) tokens.push({ kind: kind as Token['kind'], text: kind === 'string' ? unquote(text) : text });
  }
  if (at !== source.length) throw new Error(`not understood: ${source.slice(at, at + 40)}`);
  return tokens;
}

function unquote(text: string): string {
  return text.slice(1, -1).replaceAll(/\\(["\\])/g, '$1');
}

export function parseLogFilter(source: string): LogFilter {
  const tokens = tokenize(source);
  const take = (text?: string): Token => {
    const token = tokens.shift();
    if (!token || (text !== undefined && token.text !== text)) throw new Error(`expected ${text ?? 'more'}: ${source}`);
    return token;
  };
  const isNext = (text: string) => tokens[0]?.kind !== 'string' && tokens[0]?.text === text;

  const terms = (): LogFilter => {
    const all = [term()];
    let joined: string | undefined;
    while (tokens.length > 0 && !isNext(')')) {
      // Side by side, as on lines of their own, means AND.
      const by = isNext('OR') || isNext('AND') ? take().text : 'AND';
      if (joined !== undefined && joined !== by) throw new Error(`AND with OR needs parentheses: ${source}`);
      joined = by;
      all.push(term());
    }
    return (entry) => (joined === 'OR' ? all.some((one) => one(entry)) : all.every((one) => one(entry)));
  };
  const term = (): LogFilter => {
    if (isNext('NOT')) {
      take();
      const negated = term();
      return (entry) => !negated(entry);
    }
    if (!isNext('(')) return comparison();
    take();
    const inner = terms();
    take(')');
    return inner;
  };
  const comparison = (): LogFilter => {
    const path = take();
    const operator = take();
    const value = take();
    if (path.kind !== 'word' || operator.kind !== 'operator') throw new Error(`not a comparison: ${source}`);
    return compare(path.text, operator.text, value);
  };

  const filter = terms();
  if (tokens.length > 0) throw new Error(`too much: ${source}`);
  return filter;
}

/** A field that an entry lacks fails every comparison, != too. */
function compare(path: string, operator: string, { kind, text }: Token): LogFilter {
  if (!PATH.test(path)) throw new Error(`not a field that is known here: ${path}`);
  const holds = predicate(path, operator, kind, text);
  return (entry) => valuesAt(entry, path).some(holds);
}

function predicate(path: string, operator: string, kind: Token['kind'], text: string): (value: unknown) => boolean {
  if (path === 'severity') return severityPredicate(operator, text);
  if (kind === 'word' && text !== 'true' && text !== 'false') throw new Error(`quote it: ${text}`);
  const literal = text.toLowerCase();
  switch (operator) {
    case '=':
      return (value) => String(value).toLowerCase() === literal;
    case '!=':
      return (value) => String(value).toLowerCase() !== literal;
    case ':':
      return (value) => String(value).toLowerCase().includes(literal);
    case '=~': {
      if (kind !== 'string') throw new Error(`a regular expression is a string: ${text}`);
      const pattern = new RegExp(text, 'u');
      return (value) => pattern.test(String(value));
    }
    default: {
      if (path === 'timestamp') return timePredicate(operator, text);
      if (kind !== 'number') throw new Error(`${operator} compares numbers: ${text}`);
      const number = Number(text);
      return (value) =>
        typeof value === 'number' &&
        (operator === '>' ? value > number : operator === '>=' ? value >= number : value < number);
    }
  }
}

function timePredicate(operator: string, text: string): (value: unknown) => boolean {
  const time = Date.parse(text);
  if (Number.isNaN(time) || (operator !== '>=' && operator !== '<'))
    throw new Error(`a timestamp is compared by >= or < with a time: ${text}`);
  return (value) => (operator === '<' ? Date.parse(String(value)) < time : Date.parse(String(value)) >= time);
}

function severityPredicate(operator: string, text: string): (value: unknown) => boolean {
  const least = SEVERITIES.indexOf(text);
  if (least < 0) throw new Error(`no severity: ${text}`);
  if (operator === '=') return (value) => value === text;
  if (operator === '>=') return (value) => SEVERITIES.indexOf(String(value)) >= least;
  throw new Error(`severity is compared by = and >=: ${operator}`);
}

/** What stands there; all of it where a list is on the way. None for null. */
function valuesAt(entry: LogEntry, path: string): unknown[] {
  let found: unknown[] = [entry];
  for (const name of path.split('.'))
    found = found
      .flatMap((value) => (value as Record<string, unknown>)[name])
      .filter((value) => value !== undefined && value !== null);
  return found.filter((value) => typeof value !== 'object');
}

/** @returns what `EXTRACT(field)` or `REGEXP_EXTRACT(field, "regex")` finds; undefined when it fails */
export function parseExtractor(source: string): (entry: LogEntry) => string | undefined {
  const [, plain, matched, quoted] =
    /^(?:EXTRACT\(([\w.]+)\)|REGEXP_EXTRACT\(([\w.]+), ("(?:[^"\\]|\\.)*")\))$/.exec(source) ?? [];
  const path = plain ?? matched;
  if (path === undefined || !PATH.test(path)) throw new Error(`not an extractor that is known here: ${source}`);
  const pattern = quoted === undefined ? undefined : new RegExp(unquote(quoted), 'u');
  if (pattern && new RegExp(`${pattern.source}|`).exec('')?.length !== 2) throw new Error(`one group: ${source}`);
  return (entry) => {
    const [value, ...more] = valuesAt(entry, path);
    if (value === undefined || more.length > 0) return undefined;
    return pattern ? pattern.exec(String(value))?.[1] : String(value);
  };
}
