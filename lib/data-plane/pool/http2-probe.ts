import type { ClientHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import { errors } from 'undici'
import type { Probe, ProbeAnswer } from '../../../types/model.ts'
import type { Http2Connector } from './http2-connector.ts'

/** As probe.ts, over HTTP/2. */
export function sendHttp2Probe (connector: Http2Connector, probe: Probe, connecting: Set<Socket>): Promise<ProbeAnswer> {
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    let session: ClientHttp2Session | null = null
    let answer: ProbeAnswer | null = null
    const finish = (error: Error | null): void => {
      clearTimeout(timer)
      connecting.delete(socket)
      if (error === null && answer !== null) resolve(answer)
      else reject(error ?? new errors.SocketError('no answer'))
      if (session === null) socket.destroy()
      else session.destroy()
    }
    const timer = setTimeout(() => { finish(new errors.HeadersTimeoutError(`no answer within ${probe.timeout} ms`)) }, probe.timeout).unref()
    const socket = connector.connect((error, opened) => {
      if (opened === null) {
        finish(error)
        return
      }
      session = opened
      // What is left of the session when it is destroyed may still be told of.
      opened.on('error', finish)
      opened.on('close', () => { finish(new errors.SocketError('closed')) })
      const { host, ...headers } = probe.headers
      const stream = opened.request({ ...headers, ':method': probe.method, ':path': probe.path, ...(host !== undefined && { ':authority': host }) })
      stream.on('response', (head) => { answer = { statusCode: Number(head[':status']), latency: performance.now() - startedAt } })
      stream.on('error', finish)
      stream.on('end', () => { finish(null) })
      stream.resume()
    })
    connecting.add(socket)
  })
}
