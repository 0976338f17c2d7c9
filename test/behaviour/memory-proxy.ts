/*
 * A proxy in a process of its own, for tests that watch its memory: `fork`ed with the URL of the upstream. Tells its port, takes a
 * message to begin a measurement, and another to end it and tell by how many bytes the process has been larger meanwhile.
 */
import process from 'node:process'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import proxy from '../../lib/index.ts'

const app = Fastify()
await app.register(proxy, { upstream: process.argv[2]! })
await app.listen({ port: 0, host: '127.0.0.1' })

let before = 0
let most = 0
function look (): void {
  most = Math.max(most, process.memoryUsage.rss())
}
let timer: NodeJS.Timeout | null = null

process.on('message', () => {
  if (timer === null) {
    before = most = process.memoryUsage.rss()
    timer = setInterval(look, 5)
    process.send!(0)
    return
  }
  look()
  clearInterval(timer)
  timer = null
  process.send!(most - before)
})
process.once('disconnect', () => process.exit())
process.send!((app.server.address() as AddressInfo).port)
