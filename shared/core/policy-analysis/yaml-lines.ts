// Texts and lists as YAML for a policy file, with quotes only where they are needed.

const PLAIN = /^[A-Za-z][A-Za-z0-9_./-]*( [A-Za-z0-9_./()-]+)*$/;
/** What YAML, or an older version of it, reads as something else than text. */
const WORDS = /^(?:true|false|null|yes|no|on|off|y|n)$/i;

export function yamlText(text: string): string {
  return PLAIN.test(text) && !WORDS.test(text) ? text : JSON.stringify(text);
}

export function yamlKey(key: string): string {
  return /^[a-z][a-z0-9_-]*$/.test(key) && !WORDS.test(key) ? key : JSON.stringify(key);
}

/** One text as it is, several in brackets. */
export function yamlList(texts: readonly string[]): string {
  const [only] = texts;
  return texts.length === 1 && only !== undefined ? yamlText(only) : `[${texts.map(yamlText).join(', ')}]`;
}
