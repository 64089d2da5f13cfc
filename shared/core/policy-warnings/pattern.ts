// Patterns of claims that match nothing, or not what is meant: refs instead of names, the syntax of regular expressions and shells,
// values that git or Buildkite does not allow. Sources: git-check-ref-format(1), https://buildkite.com/docs/agent/cli/reference/oidc.

import { closestName } from '../closest-name.ts';
import { CLAIM_VALUES } from '../policy/claims.ts';
import { isWildcardOnly, matchesPattern } from '../policy/pattern.ts';
import { UUID } from '../policy/rule.ts';
import type { PolicyWarning } from './codes.ts';
import { placeholderIn } from './placeholders.ts';
import { foreignLetter } from './stray-characters.ts';

type Finding = Pick<PolicyWarning, 'code' | 'message'>;

/** Claims that hold a name of git's. */
const GIT_NAMES = ['build_branch', 'build_tag'];
/** Claims whose values have neither spaces nor separators of lists. */
const WORDS = [...GIT_NAMES, 'pipeline_slug', 'step_key', 'build_source', 'runner_environment', 'queue_key'];
/** Other words for documented values. */
const SYNONYMS: Readonly<Record<string, string>> = {
  push: 'webhook',
  pull_request: 'webhook',
  github: 'webhook',
  scheduled: 'schedule',
  cron: 'schedule',
  trigger: 'trigger_job',
  triggered: 'trigger_job',
  manual: 'ui',
  web: 'ui',
  rest: 'api',
  graphql: 'api',
  hosted: 'buildkite-hosted',
};

/** What is probably wrong with a pattern of `claim`; the first finding only, because others follow from it. */
export function patternFinding(claim: string, pattern: string): Finding | undefined {
  if (pattern.trim() !== pattern)
    return { code: 'impossible_value', message: `${quoted(pattern)} begins or ends with a space. Remove the space.` };
  const letter = foreignLetter(pattern);
  if (letter !== undefined)
    return {
      code: 'stray_character',
      message: `${quoted(pattern)} has the letter ${letter}, which is not a Latin one, in a Latin word. Type the word again.`,
    };
  const placeholder = placeholderIn(pattern);
  if (placeholder !== undefined) return { code: 'placeholder', message: placeholder };
  if (claim === 'step_key' && /^[^|,;]* [^|,;]*$/.test(pattern))
    return {
      code: 'impossible_value',
      message: `${quoted(pattern)} has spaces. Write the key of the step, not its label.`,
    };
  return (
    refPrefix(claim, pattern) ??
    syntax(claim, pattern) ??
    undocumentedValue(claim, pattern) ??
    impossibleValue(claim, pattern)
  );
}

function refPrefix(claim: string, pattern: string): Finding | undefined {
  if (!GIT_NAMES.includes(claim)) return undefined;
  const [, prefix = '', kind, name = ''] =
    /^(refs\/(heads|tags|remotes\/[^/]+|pull)\/|heads\/|tags\/|(?:origin|upstream)\/)(.*)$/.exec(pattern) ?? [];
  if (prefix === '') return undefined;
  const isTag = kind === 'tags' || prefix === 'tags/';
  const advice = kind === 'pull' ? 'Write the name of the branch' : `Write ${quoted(name)}`;
  const place = isTag && claim === 'build_branch' ? ', and name the tag in build_tag too' : '';
  return {
    code: 'ref_prefix',
    message: `${quoted(pattern)} begins with ${prefix}, and the claim has the name alone. ${advice}${place}.`,
  };
}

const REGULAR_EXPRESSION = /^\^|\$$|\\|\(\?|\([^()]*\|[^()]*\)|[\])][*+?]|\.\+|(?<![0-9*])\.\*|^\/\^?.*\/$/;

function syntax(claim: string, pattern: string): Finding | undefined {
  const found = syntaxIn(pattern, WORDS.includes(claim));
  return found === undefined ? undefined : { code: 'pattern_syntax', message: `${quoted(pattern)} ${found}.` };
}

function syntaxIn(pattern: string, isWord: boolean): string | undefined {
  if (/["'`“”‘’«»]/.test(pattern) && isWord) return 'has quotation marks, which are part of the pattern. Remove them';
  if (REGULAR_EXPRESSION.test(pattern))
    return 'looks like a regular expression. Only * and ** stand for more than themselves. Write a list for alternatives';
  if (/^!/.test(pattern)) return 'begins with !, and a pattern cannot exclude values. List the values that are allowed';
  const [, alternatives] = /\{([^{}]*,[^{}]*)\}/.exec(pattern) ?? [];
  if (alternatives !== undefined)
    return `has alternatives in braces. Write a list: ${listOf(alternatives.split(',').map((one) => pattern.replace(/\{[^{}]*\}/, one.trim())))}`;
  if (!isWord) return undefined;
  const parts = partsOf(pattern);
  const allowed = parts.filter((part) => !part.startsWith('!'));
  if (parts.length > allowed.length)
    return `excludes values with !, and a pattern cannot. List the values that are allowed: ${listOf(allowed)}`;
  if (parts.length > 1) return `has several values in one text. Write a list: ${listOf(parts)}`;
  if (/[|,;]/.test(pattern)) return 'has a separator at its end. Remove it';
  if (pattern.includes('[')) return 'has a set of characters in brackets, which stand for themselves. Use * or a list';
  if (pattern.includes('?')) return 'has a ?, which stands for itself. Use *';
  return undefined;
}

/** The values of a list that is written as one text, with or without its brackets. */
function partsOf(pattern: string): string[] {
  const [, list = pattern] = /^\[(.*)\]$/.exec(pattern) ?? [];
  return list.split(/\s*(?:\|\|?|,|;)\s*|\s+(?:or\s+)?/).filter((part) => part !== '');
}

function undocumentedValue(claim: string, pattern: string): Finding | undefined {
  const values = CLAIM_VALUES[claim];
  if (!values || values.some((value) => matchesPattern(pattern, value))) return undefined;
  const lower = pattern.toLowerCase();
  const near = SYNONYMS[lower] ?? closestName(lower.replaceAll(/[ _]/g, claim === 'build_source' ? '_' : '-'), values);
  const meant =
    near !== undefined && values.includes(near) ? `Did you mean "${near}"?` : `Known: ${values.join(', ')}.`;
  return { code: 'unknown_value', message: `${quoted(pattern)} is not a ${claim} of Buildkite. ${meant}` };
}

function impossibleValue(claim: string, pattern: string): Finding | undefined {
  const why = whyImpossible(claim, pattern);
  return why === undefined ? undefined : { code: 'impossible_value', message: `${quoted(pattern)} ${why}.` };
}

function whyImpossible(claim: string, pattern: string): string | undefined {
  if (GIT_NAMES.includes(claim)) return whyNotInGit(claim, pattern);
  switch (claim) {
    case 'pipeline_slug': {
      const last = pattern.toLowerCase().split('/').at(-1) ?? '';
      if (pattern.includes('/'))
        return `has a slash, and a slug has none. ${isWildcardOnly(last) ? 'Correct it' : `Write ${quoted(last)}`}`;
      return /[A-Z]/.test(pattern)
        ? `has capitals, and a slug has none. Write ${quoted(pattern.toLowerCase())}`
        : undefined;
    }
    case 'step_key':
      return UUID.test(pattern) ? 'is a UUID, and Buildkite refuses such keys. Write the key of the step' : undefined;
    case 'queue_key':
      return pattern.startsWith('queue=') ? `begins with queue=. Write ${quoted(pattern.slice(6))}` : undefined;
    case 'build_commit':
      return whyNotACommit(pattern);
    default: {
      const tag = claim.startsWith('agent_tag:') ? `${claim.slice('agent_tag:'.length)}=` : undefined;
      return tag !== undefined && pattern.startsWith(tag)
        ? `begins with ${tag}, and the claim has the value alone. Write ${quoted(pattern.slice(tag.length))}`
        : undefined;
    }
  }
}

function whyNotACommit(pattern: string): string | undefined {
  if (matchesPattern(pattern, 'HEAD')) return undefined;
  if (/[^0-9a-f*]/.test(pattern)) return 'is not a commit. Write the hash in lower case';
  return pattern.includes('*') || [40, 64].includes(pattern.length)
    ? undefined
    : `is not a whole hash. Write all of it, or ${quoted(`${pattern}*`)}`;
}

/** The prefix of branches of forks, `user:branch`, is Buildkite's and not git's. */
const FORK_PREFIX = /^[A-Za-z0-9*-]+:/;

function whyNotInGit(claim: string, pattern: string): string | undefined {
  const name = (claim === 'build_branch' ? pattern.replace(FORK_PREFIX, '') : pattern).replaceAll('*', 'x');
  const part = /\.\.|@\{|\/\/|[ ~^:[\\]/.exec(name)?.[0];
  if (part !== undefined) return `has ${quoted(part)}, which git does not allow in a name. Correct it`;
  if (name.startsWith('/')) return 'begins with a slash, which git does not allow. Remove it';
  if (name.endsWith('/')) return 'ends with a slash, which git does not allow. Add ** for everything below';
  if (/(?:^|\/)\./.test(name)) return 'has a part that begins with a dot, which git does not allow. Correct it';
  if (/\.$|\.lock(?:\/|$)/.test(name)) return 'ends with a dot or .lock, which git does not allow. Correct it';
  return undefined;
}

function listOf(values: readonly string[]): string {
  return `[${values.map((value) => (/[*{}[\],:]/.test(value) ? quoted(value) : value)).join(', ')}]`;
}

function quoted(text: string): string {
  return `"${text}"`;
}
