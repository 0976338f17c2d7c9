import assert from 'node:assert/strict'
import { Agent, get, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import process from 'node:process'
import { test, type TestContext } from 'node:test'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { origin } from '../helpers/origin.ts'
import { launch, type Program } from '../helpers/program.ts'

/* examples/cluster.ts, which docs/several-cores.md is about. */

async function fetchText (url: string, agent?: Agent): Promise<string> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { agent: agent ?? new Agent({ keepAlive: false }) }, resolve).on('error', reject)
  })
  return await text(response)
}

interface Running { program: Program, url: string, metrics: string, pids: () => number[] }

async function start (t: TestContext, upstream: string): Promise<Running> {
  const program = launch(t, 'examples/cluster.js', [], { UPSTREAM: upstream, PORT: '0', METRICS_PORT: '0', WORKERS: '2' })
  const pids = (): number[] => [...program.stdout.matchAll(/^worker (\d+) /gm)].map(([, pid]) => Number(pid))
  const url = await program.until('that both listen', ({ stdout }) => pids().length >= 2 && /^worker \d+ (\S+)$/m.exec(stdout)?.[1])
  const metrics = await program.until('that metrics are there', ({ stdout }) => /^metrics (\S+)$/m.exec(stdout)?.[1])
  return { program, url, metrics, pids }
}

function count (metrics: string): number {
  return [...metrics.matchAll(/^sluice_requests_total\{[^}]*\} (\d+)$/gm)].reduce((sum, [, value]) => sum + Number(value), 0)
}

test('the gateway on several cores: all answer, metrics are those of all, and it ends when it is told to', async (t) => {
  const upstream = await origin(t, (_request, response) => { response.end('here') })
  const { program, url, metrics } = await start(t, upstream.url)
  // A connection each: they are dealt out in turns.
  for (let sent = 0; sent < 6; sent++) assert.equal(await fetchText(url), 'here')

  assert.equal(count(await fetchText(metrics)), 6)
  assert.equal(upstream.connections, 2, 'each process has a pool of its own')

  program.kill('SIGTERM')
  assert.equal(await program.exited, 0)
})

test('a process of a gateway on several cores that dies is replaced, and what it counted is kept', async (t) => {
  const upstream = await origin(t, (_request, response) => { response.end('here') })
  const { program, url, metrics, pids } = await start(t, upstream.url)
  for (let sent = 0; sent < 4; sent++) await fetchText(url)
  assert.equal(count(await fetchText(metrics)), 4)

  process.kill(pids()[0]!, 'SIGKILL')
  await program.until('another one', () => pids().length === 3)
  for (let sent = 0; sent < 4; sent++) assert.equal(await fetchText(url), 'here')

  assert.equal(count(await fetchText(metrics)), 8)
  program.kill('SIGTERM')
  assert.equal(await program.exited, 0)
})

test('a gateway on several cores lets what is under way finish before it ends', async (t) => {
  let finish: (() => void) | undefined
  const upstream = await origin(t, (_request, response) => { finish = () => { response.end('late') } })
  const { program, url } = await start(t, upstream.url)
  const answer = fetchText(url)
  await upstream.arrived(1)

  program.kill('SIGTERM')
  // Nobody new is let in from the moment on in which it closes.
  await refused(url)
  finish!()

  assert.equal(await answer, 'late')
  assert.equal(await program.exited, 0)
})

async function refused (url: string): Promise<void> {
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => { resolve(false) })
    })
    if (!isOpen) return
    await sleep(10)
  }
}
