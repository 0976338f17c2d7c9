import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import process from 'node:process'

const FIRST = 10_000
/** Where Linux begins to give ports away, unless it is told otherwise. */
const USUAL = 32_768

function firstGivenAway (): number {
  try {
    return Number(/^\d+/.exec(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1'))![0])
  } catch {
    return USUAL
  }
}

const last = firstGivenAway()
// Files run beside each other: each begins elsewhere.
let next = process.pid * 61

/**
 * A port for a program that comes and goes, or never comes. Not one of the system's choice: while nobody listens on it, it would be
 * given to the next who asks for any, and a connection to it could even be made from it, that is to itself.
 */
export async function ownPort (): Promise<number> {
  for (let tries = 0; tries < 100 && last > FIRST + 1000; tries++) {
    const port = FIRST + next++ % (last - FIRST)
    if (await isFree(port)) return port
  }
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function isFree (port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
