import 'fastify'
import type { ProxyControl } from './control.ts'
import type { Exchange } from './model.ts'
import type { ReplyProxyOptions } from './options.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The gateway that this app's proxied routes belong to. */
    proxy: ProxyControl
  }
  interface FastifyRequest {
    /** The exchange of a proxied route; null on every other. */
    proxy: Exchange | null
  }
  interface FastifyReply {
    /**
     * Forwards this request from any route's code. Return its result from an async function.
     * @param upstream a name of `upstreams`, or a URL
     */
    proxy (upstream: string, options?: ReplyProxyOptions): FastifyReply
  }
}
