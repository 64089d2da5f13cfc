// What a check is: what it is about, how it looks, and what it can find. A finding's texts are data, so that the report, the JSON and the
// documentation have the same.

import { visible } from '../../shared/core/policy/visible-text.ts';
import { type Quoted, shellQuote } from '../../shared/core/shell-quote.ts';
import type { Google } from './google.ts';

/** An error makes the deployment or its credentials fail, or breaks a guarantee. A warning is something that somebody must decide. */
export type Severity = 'error' | 'warning';

/** Texts with {placeholders}, which the facts of a finding replace. */
export interface FindingTexts {
  readonly severity: Severity;
  /** What was found. */
  readonly what: string;
  /** What fails because of it. */
  readonly why: string;
  /** The command that fixes it, or who changes what. A placeholder is never in quotes: the fact brings its own. */
  readonly fix: string;
  /** How to go back, where the fix changes something that works. */
  readonly undo?: string;
}

export type Facts = Readonly<Record<string, string | Quoted>>;

export interface Found<Name extends string = string> {
  readonly finding: Name;
  readonly facts: Facts;
  /** What the finding is about; by default the subject of the check. */
  readonly resource?: string;
  /** The IAM member that the finding is about. */
  readonly member?: string;
  /** What the member has, or what a role has: another one is another finding for an exception. */
  readonly held?: Held;
}

export interface Held {
  readonly role?: string;
  /** The expression of the binding's condition. */
  readonly condition?: string;
  /** Those that make it a finding, sorted. */
  readonly permissions?: readonly string[];
}

export interface Looked<Name extends string> {
  /** Empty when all is as it must be. */
  readonly found: readonly Found<Name>[];
  /** What else the report says of it, such as a location. */
  readonly detail?: string;
}

export interface Check<Name extends string = string> {
  /** What it is about: a project, a database, an account. */
  readonly subject: string;
  /** @throws CouldNotLook when Google does not say */
  readonly look: (google: Google) => Promise<Looked<Name>>;
}

/** A kind of check, and the checks of that kind that a target needs. */
export interface CheckKind<Target, Name extends string = string> {
  /** As the report and the JSON show it. */
  readonly name: string;
  /** For the documentation. */
  readonly looksAt: string;
  readonly findings: Readonly<Record<Name, FindingTexts>>;
  readonly checksOf: (target: Target) => readonly Check<Name>[];
}

/** A sentence with the facts in place of {placeholders}, and nothing invisible. @throws Error when a fact is missing */
export function fillIn(text: string, facts: Facts): string {
  return replaceNames(text, facts, (fact) => visible(typeof fact === 'string' ? fact : fact.quoted));
}

/** A command with each fact as one word of it, or part of one. @throws Error when a fact is missing */
export function fillInCommand(text: string, facts: Facts): string {
  return replaceNames(text, facts, (fact) => (typeof fact === 'string' ? shellQuote(fact) : fact.quoted));
}

/** Several words, each quoted. */
export function quotedWords(words: readonly string[], between = ' '): Quoted {
  return { quoted: words.map(shellQuote).join(between) };
}

function replaceNames(text: string, facts: Facts, write: (fact: string | Quoted) => string): string {
  return text.replace(/\{([a-z_]+)\}/g, (_, name: string) => {
    const fact = facts[name];
    if (fact === undefined) throw new Error(`no fact ${name} for: ${text}`);
    return write(fact);
  });
}
