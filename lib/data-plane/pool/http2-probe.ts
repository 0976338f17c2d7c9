import type { ClientHttp2Session } from 'node:http2'
import { errors } from 'undici'
import type { Probe, ProbeAnswer } from '../../../types/model.ts'
import type { Http2Connector } from './http2-connector.ts'
import { handleOf, keepUntilCollected } from './http2-handles.ts'
import type { Opening } from './transport.ts'

/** As probe.ts, over HTTP/2. */
export function sendHttp2Probe (connector: Http2Connector, probe: Probe, connecting: Set<Opening>): Promise<ProbeAnswer> {
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    let session: ClientHttp2Session | null = null
    let answer: ProbeAnswer | null = null
    const finish = (error: Error | null): void => {
      clearTimeout(timer)
      connecting.delete(opening)
      if (error === null && answer !== null) resolve(answer)
      else reject(error ?? new errors.SocketError('no answer'))
      if (session !== null) session.destroy()
      else if (error !== null) opening.destroy(error)
    }
    const { method, path, timeout } = probe
    const timer = setTimeout(() => { finish(new errors.HeadersTimeoutError(`no answer within ${timeout} ms`)) }, timeout).unref()
    const opening = connector.connect((error, opened) => {
      if (opened === null) {
        finish(error)
        return
      }
      session = opened.session
      // A session that is destroyed may still tell of its last frames.
      session.on('error', finish)
      session.on('close', () => { finish(new errors.SocketError('closed')) })
      try {
        send(session)
      } catch (error) {
        // A session that is gone by now takes no request, and says so by throwing.
        finish(error as Error)
      }
    })
    connecting.add(opening)

    function send (session: ClientHttp2Session): void {
      const { host, ...headers } = probe.headers
      const stream = session.request({ ...headers, ':method': method, ':path': path, ...(host !== undefined && { ':authority': host }) })
      const keep = (): void => { keepUntilCollected(handleOf(session), handleOf(stream)) }
      if (stream.pending) stream.once('ready', keep)
      else keep()
      stream.on('response', (head) => { answer = { statusCode: Number(head[':status']), latency: performance.now() - startedAt } })
      stream.on('error', finish)
      stream.on('end', () => { finish(null) })
      stream.resume()
    }
  })
}
