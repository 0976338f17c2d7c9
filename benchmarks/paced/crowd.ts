import { connect } from 'node:net'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

/* What others feel: many that come at once, with a GET or an upload each, and go when they have been answered. */

export interface Crowd {
  readonly port: number
  readonly clients: number
  readonly path: string
  /** Bytes that each uploads; 0 for a GET. */
  readonly upload: number
  /** When they come, as a date in milliseconds. */
  readonly at: number
}

export interface Served {
  readonly served: number
  /** Until the last of them was, in milliseconds. */
  readonly took: number
}

const { port, clients, path, upload, at } = JSON.parse(process.argv[2]!) as Crowd
const body = Buffer.alloc(upload, 'x')
const head = upload === 0
  ? `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`
  : `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\nContent-Length: ${upload}\r\n\r\n`

await sleep(Math.max(0, at - Date.now()))
const beganAt = performance.now()
let served = 0
// Who is never answered is not waited for.
const patience = setTimeout(tell, 30_000)
await Promise.all(Array.from({ length: clients }, () => new Promise<void>((resolve) => {
  const memory = Buffer.allocUnsafe(65_536)
  let isFirst = true
  const socket = connect({
    port,
    host: '127.0.0.1',
    onread: {
      buffer: memory,
      callback: () => {
        // "HTTP/1.1 2…"
        if (isFirst && memory[9] === 0x32) served++
        isFirst = false
        return true
      }
    }
  })
  socket.on('connect', () => {
    socket.write(head)
    if (upload > 0) socket.write(body)
  })
  socket.on('error', () => {})
  socket.on('end', () => { socket.destroy() })
  socket.on('close', () => { resolve() })
  socket.resume()
})))
clearTimeout(patience)
tell()

function tell (): void {
  const result: Served = { served, took: performance.now() - beganAt }
  process.stdout.write(JSON.stringify(result), () => process.exit())
}
