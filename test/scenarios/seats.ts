import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/*
 * An upstream that can do so much and no more, however fast the machine is: `seats.js PORT SEATS MILLISECONDS`. A request takes a seat for that long,
 * or waits for one, in a queue without end. Many that wait cost it something too, as they do in reality: the more they are the less it gets
 * done, until it is of use to nobody.
 */
const [port = '0', seats = '10', milliseconds = '20'] = process.argv.slice(2)

/** Milliseconds that each request in the queue beyond so many adds to one that is being worked on. */
const drag = Number(milliseconds) / 200
const bearable = 2 * Number(seats)

/** When each seat is free again, on the clock of `performance.now()`: reckoned, not timed, so that late timers make nothing slower. */
const free: number[] = new Array<number>(Number(seats)).fill(0)
let waiting = 0

const server = createServer((request, response) => {
  request.resume()
  const now = performance.now()
  const seat = free.indexOf(Math.min(...free))
  const start = Math.max(now, free[seat]!)
  const end = start + Number(milliseconds) + drag * Math.max(0, waiting - bearable)
  free[seat] = end
  waiting++
  setTimeout(() => { waiting-- }, start - now)
  setTimeout(() => { response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 2 }).end('ok') }, end - now)
})
server.listen(Number(port), '127.0.0.1', () => {
  console.log(`pid ${process.pid} port ${(server.address() as AddressInfo).port}`)
})
