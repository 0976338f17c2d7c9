import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Forwarder } from '../../../lib/data-plane/forwarder.ts'
import { proxyError } from '../../../lib/errors.ts'
import { type Flow, openFlow } from '../../../lib/model/flow.ts'
import { exchangeWith, still } from '../samples.ts'

for (const [what, isWhole, isSuperseded] of [['whole', true, false], ['cut', false, false], ['taken over by another exchange', true, true]] as const) {
  test(`an exchange that ends ${what} is no flow any more`, (t) => {
    const forwarder = new Forwarder(still(), () => {})
    t.after(() => { forwarder.close() })
    const flows = forwarder.flows = new Set<Flow>()
    const exchange = Object.assign(exchangeWith({ reply: { raw: {} } }), { isSuperseded, error: proxyError('client_closed_request', 'select') })
    openFlow(flows, exchange)

    forwarder.finish(exchange, isWhole)

    assert.equal(flows.size, 0)
  })
}
