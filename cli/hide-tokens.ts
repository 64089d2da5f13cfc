// Messages repeat what somebody wrote, and that may be a token in the wrong place.

/** JSON Web Tokens, Google's access and refresh tokens, and Buildkite's API tokens. */
const TOKENS = /\b(?:eyJ[\w-]{8,}\.[\w.-]+|ya29\.[\w.-]+|bk(?:ua|pt|at|ct)_\w{8,})|\b1\/\/[\w-]{20,}/g;

/** The text, without the tokens in it. */
export function hideTokens(text: string): string {
  return text.replace(TOKENS, '[a token, not repeated here]');
}
