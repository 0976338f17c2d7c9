import { isIP, type Socket } from 'node:net'
import { buildConnector, errors } from 'undici'
import type { PoolConfig } from './index.ts'

/**
 * Opens connections, bounded in time to the millisecond: undici's own connect timeout runs on a coarse clock and fires up to
 * a second late. Name resolution, TCP and TLS all count.
 * @param connecting where the sockets are while nobody else knows them
 */
export function createConnector (config: PoolConfig, connecting: Set<Socket>): buildConnector.connector {
  const { connectTimeout } = config
  const connect = buildConnector({ ...config.tls, rejectUnauthorized: config.tls?.rejectUnauthorized ?? true, timeout: 0 })

  return function connectInTime (options, callback): void {
    const timer = setTimeout(function giveUp () {
      inTheMaking.destroy(new errors.ConnectTimeoutError(`no connection within ${connectTimeout} ms`))
    }, connectTimeout)
    // undici gives the socket back at once, as its own type does not say; an address with several answers is one socket too.
    const inTheMaking = connect(withoutAddress(options), function connected (error: Error | null, socket: Socket | null) {
      clearTimeout(timer)
      connecting.delete(inTheMaking)
      if (error !== null) callback(error, null)
      else callback(null, socket!)
    } as buildConnector.Callback) as unknown as Socket
    connecting.add(inTheMaking)
  }
}

/**
 * Every request names its server, lest one with another Host header should make undici tear the connection down ('servername
 * changed'); but SNI has no room for addresses (RFC 6066 3).
 */
function withoutAddress (options: buildConnector.Options): buildConnector.Options {
  return isIP(options.servername ?? '') === 0 ? options : { ...options, servername: '' }
}
