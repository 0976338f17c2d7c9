import type { ProxyExchange } from '../model/exchange.ts'

/** How often the clock is looked at. Four of these are still within the 50 ms that deadlines are kept to. */
const TICK = 10
/** Ticks in a round of the wheel, a power of two: 5.12 s. What is due later is passed over once a round. */
const SLOTS = 512
/** Ticks without work after which the timer is given back. */
const IDLE_TICKS = 100

/**
 * The deadlines of all exchanges on one timer. A timer per exchange and phase would cost more than the rest of the exchange's
 * bookkeeping; here filing and taking out are a few assignments, and a deadline that moves later (every chunk moves the idle
 * deadline) is one number written: the wheel notices when it comes by.
 */
export class Deadlines {
  readonly #slots: (ProxyExchange | null)[] = new Array(SLOTS).fill(null)
  readonly #expire: (exchange: ProxyExchange, now: number) => void
  #timer: NodeJS.Timeout | null = null
  #tick = 0
  #filed = 0
  #idle = 0
  /** Time of the last tick: old by one tick at most while anything is filed. */
  now = 0

  constructor (expire: (exchange: ProxyExchange, now: number) => void) {
    this.#expire = expire
  }

  /** How many exchanges are filed. */
  get size (): number {
    return this.#filed
  }

  /** Files the exchange under its earliest deadline; needed after a deadline was set or moved earlier, not when it moved later. */
  arm (exchange: ProxyExchange): void {
    const due = earliest(exchange)
    if (due === Infinity) return
    if (exchange.slot !== -1) {
      if (exchange.filedDue <= due) return
      this.disarm(exchange)
    }
    if (this.#timer === null) this.#start()
    this.#file(exchange, due)
  }

  disarm (exchange: ProxyExchange): void {
    if (exchange.slot === -1) return
    const { before, behind } = exchange
    if (before === null) this.#slots[exchange.slot] = behind
    else before.behind = behind
    if (behind !== null) behind.before = before
    exchange.before = null
    exchange.behind = null
    exchange.slot = -1
    this.#filed--
  }

  close (): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #file (exchange: ProxyExchange, due: number): void {
    const slot = Math.ceil(due / TICK) & (SLOTS - 1)
    const first = this.#slots[slot]!
    exchange.slot = slot
    exchange.filedDue = due
    exchange.behind = first
    if (first !== null) first.before = exchange
    this.#slots[slot] = exchange
    this.#filed++
  }

  #start (): void {
    this.now = performance.now()
    this.#tick = Math.floor(this.now / TICK)
    this.#idle = 0
    this.#timer = setInterval(() => this.#turn(), TICK)
    // An exchange is held open by its sockets; its deadlines need not hold the process.
    this.#timer.unref()
  }

  #turn (): void {
    this.now = performance.now()
    if (this.#filed === 0) {
      // Kept for a while, so that one request after another does not start and stop a timer each time.
      if (++this.#idle > IDLE_TICKS) this.close()
      this.#tick = Math.floor(this.now / TICK)
      return
    }
    this.#idle = 0
    const last = Math.floor(this.now / TICK)
    // A loop that was held up for a whole round has every slot to look at, but none of them twice.
    for (let tick = Math.max(this.#tick + 1, last - SLOTS + 1); tick <= last; tick++) this.#visit(tick & (SLOTS - 1))
    this.#tick = last
  }

  #visit (slot: number): void {
    let expired: ProxyExchange[] | null = null
    let exchange = this.#slots[slot]!
    while (exchange !== null) {
      // Read first: filing it elsewhere changes it.
      const { behind } = exchange
      const due = earliest(exchange)
      if (due > this.now) {
        this.disarm(exchange)
        if (due !== Infinity) this.#file(exchange, due)
      } else if (expired === null) {
        expired = [exchange]
      } else {
        expired.push(exchange)
      }
      exchange = behind!
    }
    if (expired !== null) this.#expireAll(expired)
  }

  /** Apart from the walk, since ending one exchange may file, move or take out any other. */
  #expireAll (exchanges: ProxyExchange[]): void {
    for (const exchange of exchanges) {
      if (exchange.slot === -1 || earliest(exchange) > this.now) continue
      this.disarm(exchange)
      this.#expire(exchange, this.now)
    }
  }
}

function earliest (exchange: ProxyExchange): number {
  const { totalDue, attemptDue, phaseDue } = exchange
  const earlier = totalDue < attemptDue ? totalDue : attemptDue
  return earlier < phaseDue ? earlier : phaseDue
}
