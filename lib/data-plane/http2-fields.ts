type Headers = Record<string, string | string[]>

/** What belongs to a connection of HTTP/1.1 and makes a message of HTTP/2 malformed (RFC 9113 8.2.2); a transform may have set it. */
const connectionFields = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings']

/** Fields of which Node sends one value only, and throws over two. */
const singleFields = [
  'access-control-allow-credentials', 'access-control-max-age', 'access-control-request-method', 'age', 'authorization', 'content-encoding',
  'content-language', 'content-length', 'content-location', 'content-md5', 'content-range', 'content-type', 'date', 'dnt', 'etag', 'expires', 'from',
  'host', 'if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since', 'last-modified', 'location', 'max-forwards',
  'proxy-authorization', 'range', 'referer', 'retry-after', 'tk', 'upgrade-insecure-requests', 'user-agent', 'x-content-type-options'
]

/** Makes headers such as HTTP/2 can carry, and Node is willing to send; lines that may not be repeated become one list, as RFC 9110 5.3 reads them. */
export function fitToHttp2 (headers: Headers): void {
  for (const name of connectionFields) {
    if (headers[name] !== undefined) delete headers[name]
  }
  for (const name of singleFields) {
    const value = headers[name]
    if (Array.isArray(value)) headers[name] = value.join(', ')
  }
}
