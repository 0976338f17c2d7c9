import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { Bell } from './until.ts'

/* HTTP/2 frame by frame (RFC 9113 4), for what no library would send. */

export const types: Readonly<Record<string, number>> = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, PING: 6, GOAWAY: 7, WINDOW_UPDATE: 8, CONTINUATION: 9 }
const names = Object.fromEntries(Object.entries(types).map(([name, value]) => [value, name]))

export const END_STREAM = 1
export const END_HEADERS = 4
const ACK = 1

export interface Frame {
  type: string
  flags: number
  stream: number
  payload: Buffer
}

export function frame (type: string, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const body = Buffer.from(payload as string, 'latin1')
  const head = Buffer.alloc(9)
  head.writeUIntBE(body.length, 0, 3)
  head[3] = types[type]!
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, body])
}

export function uint32 (...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4)
  return bytes
}

/** A field block of literals (RFC 7541 6.2.2), without indexing or Huffman; names and values of up to 126 bytes. */
export function block (fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0, name.length]), Buffer.from(name, 'latin1'), Buffer.from([value.length]), Buffer.from(value, 'latin1')]))
}

/** One end of a connection: answers SETTINGS and PING, keeps every other frame. */
export class Framed {
  readonly socket: Socket
  readonly frames: Frame[] = []
  readonly bell: Bell = new Bell()
  closed = false
  #rest: Buffer
  #onFrame: (frame: Frame) => void

  constructor (socket: Socket, isServer: boolean, onFrame: (frame: Frame) => void = () => {}) {
    this.socket = socket
    this.#onFrame = onFrame
    this.#rest = Buffer.alloc(0)
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
    let skip = isServer ? preface.length : 0
    socket.write(isServer ? frame('SETTINGS', 0, 0) : Buffer.concat([Buffer.from(preface), frame('SETTINGS', 0, 0)]))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      this.bell.ring()
    })
    socket.on('data', (chunk: Buffer) => {
      const dropped = Math.min(skip, chunk.length)
      skip -= dropped
      this.#rest = Buffer.concat([this.#rest, chunk.subarray(dropped)])
      this.#read()
    })
  }

  #read (): void {
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3)
      if (this.#rest.length < 9 + length) return
      const one: Frame = { type: names[this.#rest[3]!] ?? String(this.#rest[3]), flags: this.#rest[4]!, stream: this.#rest.readUInt32BE(5), payload: Buffer.from(this.#rest.subarray(9, 9 + length)) }
      this.#rest = this.#rest.subarray(9 + length)
      if (one.type === 'SETTINGS') {
        if ((one.flags & ACK) === 0) this.write(frame('SETTINGS', ACK, 0))
        continue
      }
      this.frames.push(one)
      this.#onFrame(one)
      this.bell.ring()
    }
  }

  write (...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames))
  }

  /** The code with which the stream was reset. */
  reset (stream: number): Promise<number> {
    return this.bell.until(`a reset of ${stream}`, () => {
      const found = this.frames.find((one) => one.type === 'RST_STREAM' && one.stream === stream)
      return found === undefined ? null : { code: found.payload.readUInt32BE(0) }
    }).then(({ code }) => code)
  }

  /** The first of these on the stream. */
  frame (type: string, stream: number): Promise<Frame> {
    return this.bell.until(`${type} on ${stream}, got ${this.frames.map((one) => one.type).join()}`, () => this.frames.find((one) => one.type === type && one.stream === stream))
  }

  types (stream: number): string[] {
    return this.frames.filter((one) => one.stream === stream).map(({ type }) => type)
  }
}

export async function connectFrames (t: TestContext, port: number): Promise<Framed> {
  const socket = connect(port, '127.0.0.1')
  t.after(() => { socket.destroy() })
  await once(socket, 'connect')
  return new Framed(socket, false)
}

/** An upstream with prior knowledge that does with each frame what `onFrame` does; `index` counts the connections from 0. */
export async function framesOrigin (t: TestContext, onFrame: (frame: Frame, wire: Framed, index: number) => void): Promise<{ url: string, wires: Framed[] }> {
  const wires: Framed[] = []
  const server = createServer((socket) => {
    const index = wires.length
    const wire: Framed = new Framed(socket, true, (one) => { onFrame(one, wire, index) })
    wires.push(wire)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const { socket } of wires) socket.destroy()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, wires }
}
