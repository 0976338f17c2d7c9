import assert from 'node:assert/strict'
import { test } from 'node:test'
import { health, rig } from '../rig.ts'

test('a check is the request that was asked for, and says what it is', async () => {
  const { monitor, pools, pass } = rig(1, { health: { ...health, path: '/up?deep', method: 'HEAD', headers: { 'x-key': 'k' } } })
  monitor.start()
  await pass(1)
  assert.deepEqual(pools[0]!.probes, [{ path: '/up?deep', method: 'HEAD', headers: { host: 'a', 'x-health-probe': 'true', 'x-key': 'k' }, servername: null, timeout: 500 }])
})

test('an endpoint that fails its checks leaves after `fall` of them, and is back after `rise`, within one interval of its being well', async () => {
  const { monitor, pools, events, available, pass } = rig(2, { health })
  monitor.start()
  await pass(100)
  pools[0]!.isUp = false
  await pass(2000)
  assert.equal(available(), 'ab', 'two have failed')
  await pass(1000)
  assert.equal(available(), 'b')
  assert.deepEqual(events, ['unhealthy a ECONNREFUSED'])

  await pass(5000)
  pools[0]!.isUp = true
  await pass(1000)
  assert.equal(available(), 'ab')
  assert.deepEqual(events, ['unhealthy a ECONNREFUSED', 'healthy a health check'])
  assert.deepEqual(pools[0]!.prewarmed, [1], 'it was connected to before it took traffic')
  monitor.close()
})

test('a first failure of an unknown endpoint is looked into soon', async () => {
  const { monitor, pools, available, pass } = rig(2, { health })
  pools[1]!.isUp = false
  monitor.start()
  await pass(250)
  assert.equal(available(), 'a')
  monitor.close()
})

test('what is not an answer has failed, whatever it is', async () => {
  for (const fault of [new TypeError('of a status function'), Object.assign(new Error(), { code: 'UND_ERR_HEADERS_TIMEOUT' }), Object.assign(new Error(), { name: 'HTTPParserError' })]) {
    const { monitor, pools, pass, events } = rig(2, { health: { ...health, fall: 1 } })
    pools[0]!.answer = () => fault
    monitor.start()
    await pass(1)
    assert.deepEqual(events, [`unhealthy a ${(fault as { code?: string }).code ?? fault.name}`])
    monitor.close()
  }
})

test('readiness waits until every endpoint is known, and no longer than it may', async () => {
  const { monitor, pools, pass } = rig(2, { health: { ...health, waitForHealthy: 5000 } })
  pools[1]!.isUp = false
  let isReady = false
  monitor.start().then(() => { isReady = true })
  await pass(190)
  assert.equal(isReady, false, 'b may still pass')
  await pass(30)
  assert.equal(isReady, true)
  monitor.close()

  const slow = rig(1, { health: { ...health, waitForHealthy: 100 } })
  slow.pools[0]!.probe = async () => new Promise(() => {})
  isReady = false
  slow.monitor.start().then(() => { isReady = true })
  await slow.pass(90)
  assert.equal(isReady, false)
  await slow.pass(20)
  assert.equal(isReady, true)
  slow.monitor.close()
})

test('what those throw who are told of a check neither ends the process nor the checks', async (t) => {
  let unhandled = 0
  const onRejection = (): void => { unhandled++ }
  process.on('unhandledRejection', onRejection)
  t.after(() => { process.off('unhandledRejection', onRejection) })
  const { monitor, pools, pass, upstream } = rig(1, { health })
  upstream.state = { ...upstream.state, observers: [{ onHealthCheck: () => { throw new Error('of an observer') } }] }
  monitor.start()
  await pass(5000)
  await new Promise((resolve) => { setImmediate(resolve) })

  assert.ok(pools[0]!.probes.length > 3)
  assert.equal(unhandled, 0)
  monitor.close()
})

test('once closed nothing is checked any more, and what comes late changes nothing', async () => {
  const { monitor, pools, pass, time, endpoints } = rig(1, { health: { ...health, fall: 1 } })
  let answer: (error: Error) => void = () => {}
  pools[0]!.probe = async () => new Promise((_resolve, reject) => { answer = reject })
  monitor.start()
  monitor.close()
  answer(new Error('late'))
  await pass(5000)
  assert.equal(endpoints[0]!.health, 'unknown')
  assert.equal(time.pending, 0)
})
