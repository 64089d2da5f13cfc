// What of the product ran, from V8's own counters of blocks: chromedevtools.github.io/devtools-protocol/v8/Profiler.

import { Session } from 'node:inspector';
import { ROOT } from './target.ts';

/** By file: 1 for each character of its text that is in a block that ran. */
type Ran = Map<string, Uint8Array>;

interface Script {
  readonly url: string;
  readonly functions: readonly {
    readonly functionName: string;
    readonly ranges: readonly { readonly startOffset: number; readonly endOffset: number; readonly count: number }[];
  }[];
}

export class Coverage {
  readonly #session = new Session();
  readonly #seen: Ran = new Map();
  /** Functions by file and place, and whether they ever ran. */
  readonly #functions = new Map<string, boolean>();

  /** To be called before the product is imported. */
  start(): void {
    this.#session.connect();
    this.#post('Profiler.enable');
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** What ran since the last call. */
  take(): Ran {
    const scripts = this.#post('Profiler.takePreciseCoverage').result.filter(({ url }) => isProduct(url));
    return new Map(scripts.map((script) => [fileOf(script.url), this.#read(script)]));
  }

  /** Whether some of it had never run before. */
  isNew(ran: Ran): boolean {
    return [...ran].some(([file, now]) => {
      const seen = this.#seen.get(file);
      return !seen || now.some((one, at) => one > (seen[at] ?? 0));
    });
  }

  add(ran: Ran): void {
    for (const [file, now] of ran) {
      const seen = this.#seen.get(file) ?? new Uint8Array();
      const longer = new Uint8Array(Math.max(seen.length, now.length));
      longer.set(seen);
      for (const [at, one] of now.entries()) longer[at] = Math.max(longer[at] ?? 0, one);
      this.#seen.set(file, longer);
    }
  }

  /** Forgets what ran, for the selection of inputs. */
  reset(): void {
    this.take();
    this.#seen.clear();
  }

  /** Of these files: functions that ran, all that are known, and the share of the text that ran. */
  summary(files: readonly string[]): { readonly ran: number; readonly known: number; readonly share: number } {
    const functions = [...this.#functions].filter(([key]) => files.includes(key.split(':')[0] ?? ''));
    const texts = files.map((file) => this.#seen.get(file) ?? new Uint8Array(1));
    const [characters, reached] = [(text: Uint8Array) => text.length, (text: Uint8Array) => count(text)].map((of) =>
      texts.reduce((sum, text) => sum + of(text), 0),
    ) as [number, number];
    return { ran: functions.filter(([, ran]) => ran).length, known: functions.length, share: reached / characters };
  }

  /** Places in these files that never ran, as offsets. */
  unreached(file: string): [from: number, to: number][] {
    const text = this.#seen.get(file) ?? new Uint8Array();
    const places: [number, number][] = [];
    for (const [at, ran] of text.entries())
      if (!ran) {
        const last = places.at(-1);
        if (last && last[1] === at) last[1] = at + 1;
        else places.push([at, at + 1]);
      }
    return places;
  }

  #read({ url, functions }: Script): Uint8Array {
    const ends = functions.flatMap(({ ranges }) => ranges.map(({ endOffset }) => endOffset));
    const now = new Uint8Array(Math.max(...ends));
    // A function follows the one around it, and a block the one around it.
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count } of ranges) now.fill(count > 0 ? 1 : 0, startOffset, endOffset);
      const key = `${fileOf(url)}:${ranges[0]?.startOffset}`;
      this.#functions.set(key, this.#functions.get(key) || (ranges[0]?.count ?? 0) > 0);
    }
    return now;
  }

  #post(method: string, params?: object): { result: Script[] } {
    let response: { result: Script[] } | undefined;
    this.#session.post(method, params, (error, result) => {
      if (error) throw error;
      response = result as { result: Script[] };
    });
    return response as { result: Script[] };
  }
}

function isProduct(url: string): boolean {
  return /^(shared|functions|cli)\//.test(fileOf(url));
}

function fileOf(url: string): string {
  return url.startsWith(ROOT.href) ? url.slice(ROOT.href.length) : '';
}

function count(text: Uint8Array): number {
  return text.reduce((sum, one) => sum + one, 0);
}
