// Why a request got no response, by the codes of Node, OpenSSL and undici, which is Node's fetch.

const CAUSES: readonly (readonly [codes: RegExp, cause: string])[] = [
  [/^(?:ENOTFOUND|EAI_AGAIN|EAI_NODATA)$/, 'DNS does not know its name. Check the URL and the network'],
  [/^ECONNREFUSED$/, 'nothing listens there. Check the URL'],
  [/^(?:ECONNRESET|EPIPE|UND_ERR_SOCKET)$/, 'the connection was closed'],
  [/^(?:ETIMEDOUT|UND_ERR_(?:CONNECT|HEADERS|BODY)_TIMEOUT)$/, 'it took too long. Check the network and a proxy'],
  [/^(?:EHOSTUNREACH|ENETUNREACH)$/, 'the network has no way to it'],
  [
    /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|EPROTO/,
    'its certificate or TLS was not accepted. Check the URL and NODE_EXTRA_CA_CERTS',
  ],
];

/** To put after the message of an error: `: CAUSE (CODE)`, and nothing where no cause is known. */
export function causeOf(error: unknown): string {
  const code = codeOf(error);
  if (code === undefined) return '';
  const [, cause] = CAUSES.find(([codes]) => codes.test(code)) ?? [];
  return cause === undefined ? ` (${code})` : `: ${cause} (${code})`;
}

/** The innermost code. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const inner = codeOf(error.cause) ?? (error instanceof AggregateError ? codeOf(error.errors[0]) : undefined);
  if (inner !== undefined) return inner;
  return 'code' in error && typeof error.code === 'string' && /^[A-Z_]+$/.test(error.code) ? error.code : undefined;
}
