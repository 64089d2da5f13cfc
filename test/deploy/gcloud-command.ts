// A command of gcloud as the stand-in reads it, and how it refuses one.

export interface Command {
  readonly names: readonly string[];
  readonly name: string;
  readonly project: string;
  readonly flag: (name: string) => string;
  readonly has: (name: string) => boolean;
}

export type Answer = readonly string[];

/** What Google or the SDK refuses, in their words. */
export class Refused extends Error {}

/** Fails the stand-in itself: the script asks for something that it does not know. */
export function expectFlag(flag: Command['flag'], name: string, value: string): void {
  if (flag(name) !== value) throw new Error(`--${name}=${flag(name)}`);
}

export function refuse(message: string): never {
  throw new Refused(message);
}
