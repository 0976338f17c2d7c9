import { isIP, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { buildConnector, errors } from 'undici'
import type { ConnectionEnd, ConnectionObserver } from '../../../types/policy.ts'
import { toProxyError } from '../../errors.ts'
import type { PoolConfig } from './index.ts'
import { ReadingSocket } from './reading-socket.ts'

/** ms of silence before TCP asks whether the other side is still there; undici's own. */
const KEEP_ALIVE_DELAY = 60_000

/**
 * Opens connections, bounded in time to the millisecond: undici's own connect timeout runs on a coarse clock and fires up to
 * a second late. Name resolution, TCP and TLS all count.
 * @param connecting where the sockets are while nobody else knows them
 * @param observers who is told of each connection; more may come
 */
export function createConnector (config: PoolConfig, connecting: Set<Socket>, observers: readonly ConnectionObserver[]): buildConnector.connector {
  const { connectTimeout } = config
  const connectSecurely = buildConnector({ ...config.tls, rejectUnauthorized: config.tls?.rejectUnauthorized ?? true, timeout: 0 })

  // undici holds sessions by weak references alone: without this a full handshake follows every collection of garbage.
  const sessions: Buffer[] = []
  function keepSession (latest: Buffer): void {
    sessions[0] = latest
  }

  return function connectInTime (options, callback): void {
    const startedAt = performance.now()
    const timer = setTimeout(function giveUp () {
      inTheMaking.destroy(new errors.ConnectTimeoutError(`no connection within ${connectTimeout} ms`))
    }, connectTimeout)
    const connect = options.protocol === 'https:' ? connectSecurely : connectPlainly
    // undici gives the socket back at once, as its own type does not say; an address with several answers is one socket too.
    const inTheMaking = connect(withoutAddress(options), function connected (error: Error | null, socket: Socket | null) {
      clearTimeout(timer)
      connecting.delete(inTheMaking)
      if (error !== null) tellRefusal(observers, error)
      else tellConnection(observers, socket!, performance.now() - startedAt)
      if (error !== null) callback(error, null)
      else callback(null, socket!)
    } as buildConnector.Callback) as unknown as Socket
    connecting.add(inTheMaking)
    inTheMaking.on('session', keepSession)
  }
}

/** As undici's own connector does it, with a socket of ours. */
function connectPlainly ({ hostname, port, localAddress }: buildConnector.Options, callback: buildConnector.Callback): Socket {
  const socket = new ReadingSocket()
  socket.connect({ host: hostname, port: Number(port || 80), ...localAddress === undefined || localAddress === null ? {} : { localAddress } })
  socket.setKeepAlive(true, KEEP_ALIVE_DELAY)
  socket.setNoDelay(true)
  let isTold = false
  function tell (error: Error | null): void {
    if (isTold) return
    isTold = true
    if (error !== null) callback(error, null)
    else callback(null, socket)
  }
  socket.once('connect', () => { tell(null) })
  // It stays: an 'error' that nobody listens to ends the process.
  socket.on('error', tell)
  return socket
}

export function tellRefusal (observers: readonly ConnectionObserver[], cause: Error): void {
  const { error } = toProxyError(cause, 'connect')
  for (const observer of observers) observer.onRefused(error)
}

function tellConnection (observers: readonly ConnectionObserver[], socket: Socket, milliseconds: number): void {
  const hasResumed = 'isSessionReused' in socket && (socket as TLSSocket).isSessionReused()
  for (const observer of observers) observer.onConnected(milliseconds, hasResumed)
  socket.once('close', () => {
    const by = endOf(socket)
    for (const observer of observers) observer.onDisconnected(by)
  })
}

const byMessage: Record<string, ConnectionEnd | undefined> = {
  'socket idle timeout': 'idle',
  'other side closed': 'upstream',
  // The upstream's answer said that it closes.
  reset: 'upstream',
  // CountingClient.cut
  'given up': 'proxy'
}

/** By the error that undici destroys a socket with (test/contract/undici-ends.test.ts); without one, it was closed in peace, by us. */
function endOf (socket: Socket): ConnectionEnd {
  const { errored } = socket
  if (errored === null) return socket.readableEnded ? 'upstream' : 'proxy'
  const { code } = errored as NodeJS.ErrnoException
  if (code === 'UND_ERR_INFO') return byMessage[errored.message] ?? 'proxy'
  if (code === 'UND_ERR_SOCKET') return byMessage[errored.message] ?? 'error'
  return code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED' || code === 'UND_ERR_ABORTED' ? 'proxy' : 'error'
}

/**
 * Every request names its server, lest one with another Host header should make undici tear the connection down ('servername
 * changed'); but SNI has no room for addresses (RFC 6066 3).
 */
function withoutAddress (options: buildConnector.Options): buildConnector.Options {
  return isIP(options.servername ?? '') === 0 ? options : { ...options, servername: '' }
}
