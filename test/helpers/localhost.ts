import dns, { type LookupAddress } from 'node:dns'
import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'

type Told = (error: Error | null, addresses: LookupAddress[]) => void

/** Listens on 'localhost' as on a machine where that has two addresses. */
export async function listenTwice (t: TestContext, app: FastifyInstance): Promise<void> {
  const { lookup } = dns
  const addresses = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }))
  const mock = t.mock.method(dns, 'lookup', function lookUp (name: string, options: { all?: boolean }, told: Told) {
    // Node 24 looks an address up as well, where it listens on one.
    if (name === 'localhost' && options.all === true) told(null, addresses)
    else Reflect.apply(lookup, dns, [name, options, told])
  })
  await app.listen({ host: 'localhost', port: 0 })
  mock.mock.restore()
}
