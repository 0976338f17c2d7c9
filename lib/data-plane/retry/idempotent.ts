/** RFC 9110 9.2.2, and QUERY (RFC 10008). */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PUT', 'DELETE'])

/** Whether doing it twice is meant to do no more than doing it once. */
export function isIdempotent (method: string): boolean {
  return idempotent.has(method)
}
