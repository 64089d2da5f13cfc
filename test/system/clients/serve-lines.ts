// The other end of a client process: does what it is asked by lines on its standard input, one after another, and tells
// what came of it.

import { createInterface } from 'node:readline';

// biome-ignore lint/suspicious/noExplicitAny: what an operation takes is between its test and itself
export type Operations = Readonly<Record<string, (...args: any[]) => Promise<unknown>>>;

export async function serveLines(operations: Operations): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const [name, ...args] = JSON.parse(line) as [string, ...unknown[]];
    process.stdout.write(`${JSON.stringify(await outcomeOf(() => operations[name]?.(...args)))}\n`);
  }
}

async function outcomeOf(run: () => Promise<unknown> | undefined): Promise<object> {
  try {
    return { value: (await run()) ?? null };
  } catch (error) {
    const { message, code } = error as Error & { code?: unknown };
    return { error: { message, ...(code === undefined ? {} : { code }) } };
  }
}
