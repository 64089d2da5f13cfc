// Text for a POSIX shell.

/** How the printed lines and the commands of the sandbox call curl. */
export const CURL = 'curl -sS --fail-with-body';

export function quoted(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}
