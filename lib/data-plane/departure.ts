import type { Socket } from 'node:net'
import type { ProxyExchange } from '../model/exchange.ts'
import type { ProxyAttempt } from './attempt.ts'
import type { Forwarder } from './forwarder.ts'
import { endBehindAnswer, endsWithHead, hasEnded, isHttp2, letGoWhenReset, streamOf } from './http2-reply.ts'
import { wasInjected } from './injected.ts'
import { lingering } from './lingering.ts'

/**
 * Tells the forwarder when the client's side of an exchange is over. 'close' comes once, after the last byte as after a client's
 * departure: one listener for both.
 */
export function watchClient (forwarder: Forwarder, exchange: ProxyExchange): void {
  const { raw } = exchange.reply
  const isShared = isHttp2(raw)
  let isOver = false
  let queue: Set<() => void> | null = null
  function onClose (): void {
    if (isOver) return
    isOver = true
    if (queue !== null) queue.delete(onClose)
    // An injected response closes before it is out.
    const isWhole = isShared ? hasEnded(raw) : raw.writableFinished || (raw.writableEnded && wasInjected(exchange.request.raw))
    const attempt = exchange.last as ProxyAttempt | null
    if (isWhole && !isShared && !raw.req.complete) lingering.bound(raw.req)
    // A connection that goes, or that others share, calls in a scope of its own, or in that of another exchange.
    if (attempt === null || (isWhole && queue === null && !isShared)) forwarder.finish(exchange, isWhole)
    else attempt.runInAsyncScope(forwarder.finish, forwarder, exchange, isWhole)
  }
  if (isShared) {
    // The stream's: Node's response says nothing when a HEAD is cancelled.
    streamOf(raw).on('close', onClose)
    letGoWhenReset(streamOf(raw))
    if (!endsWithHead(raw.req)) endBehindAnswer(raw)
    return
  }
  raw.on('close', onClose)
  if (raw.socket !== null) return
  queue = queueOf(exchange.request.raw.socket)
  queue.add(onClose)
}

const queues = new WeakMap<Socket, Set<() => void>>()

/**
 * A response that waits behind others of a pipeline has no socket yet, and is told nothing when the connection goes. One listener
 * tells all of them: the socket outlives them, and whatever they left on it.
 */
function queueOf (socket: Socket): Set<() => void> {
  let queue = queues.get(socket)
  if (queue === undefined) {
    const waiting = queue = new Set<() => void>()
    queues.set(socket, waiting)
    socket.once('close', () => { for (const onClose of waiting) onClose() })
  }
  return queue
}
