import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Forwarder } from '../../../lib/data-plane/forwarder.ts'
import { proxyError } from '../../../lib/errors.ts'
import { type Flow, openFlow } from '../../../lib/model/flow.ts'
import { exchangeWith, still } from '../samples.ts'

const ends = [['whole', true, false], ['cut', false, false], ['taken over by another exchange', true, true]] as const

for (const [what, isWhole, isSuperseded] of ends) {
  test(`an exchange that ends ${what} is no flow any more`, (t) => {
    const forwarder = new Forwarder(still(), () => {})
    t.after(() => { forwarder.close() })
    const flows = forwarder.flows = new Set<Flow>()
    const error = proxyError('client_closed_request', 'select')
    const exchange = Object.assign(exchangeWith({ reply: { raw: {} } }), { isSuperseded, error })
    openFlow(flows, exchange)

    forwarder.finish(exchange, isWhole)

    assert.equal(flows.size, 0)
  })
}
