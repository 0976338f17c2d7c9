import type { ProxyExchange } from '../model/exchange.ts'

/** How often the clock is looked at. Four of these are still within the 50 ms that deadlines are kept to. */
const TICK = 10
/** Ticks in a round of the wheel, a power of two: 5.12 s. What is due later is passed over once a round. */
const SLOTS = 512
/** Ticks without work after which the timer is given back. */
const IDLE_TICKS = 100

/** What turns the wheel; injected, so that tests decide the time. */
export interface Ticker {
  /** Milliseconds, monotonic. */
  now (): number
  /** Calls `turn` about every so many milliseconds, until it is stopped. */
  every (milliseconds: number, turn: () => void): Turning
}

/** A timer that turns the wheel. */
export interface Turning {
  stop (): void
  /** From now on the process does not end while it turns; or may. */
  hold (isHeld: boolean): void
}

export const realTime: Ticker = {
  now: () => performance.now(),
  every (milliseconds, turn) {
    const timer = setInterval(turn, milliseconds)
    // An exchange is held open by its sockets; its deadlines need not hold the process. See `hold`.
    timer.unref()
    return {
      stop: () => { clearInterval(timer) },
      hold: (isHeld) => { if (isHeld) timer.ref(); else timer.unref() }
    }
  }
}

/**
 * The deadlines of all exchanges on one timer. A timer per exchange and phase would cost more than the rest of the exchange's
 * bookkeeping; here filing and taking out are a few assignments, and a deadline that moves later (every chunk moves the idle
 * deadline) is one number written: the wheel notices when it comes by.
 */
export class Deadlines {
  readonly #slots: (ProxyExchange | null)[] = new Array(SLOTS).fill(null)
  readonly #expire: (exchange: ProxyExchange, now: number) => void
  readonly #ticker: Ticker
  /** null while it stands still. */
  #turning: Turning | null = null
  /** Exchanges that nothing but this timer brings on: those between two attempts, or in a line. */
  #held = 0
  #tick = 0
  #filed = 0
  #idle = 0
  /** Time of the last tick: old by one tick at most while anything is filed. */
  now = 0

  constructor (expire: (exchange: ProxyExchange, now: number) => void, ticker: Ticker = realTime) {
    this.#expire = expire
    this.#ticker = ticker
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
      this.#takeOut(exchange)
    }
    if (this.#turning === null) this.#start()
    this.#file(exchange, due)
  }

  /** As `arm`, for an exchange that has no socket of an upstream's for the time: the process is kept until it goes on. */
  hold (exchange: ProxyExchange): void {
    this.arm(exchange)
    if (exchange.isHeld) return
    exchange.isHeld = true
    if (this.#held++ === 0) this.#turning?.hold(true)
  }

  /** The exchange goes on. */
  letGo (exchange: ProxyExchange): void {
    exchange.isHeld = false
    if (--this.#held === 0) this.#turning?.hold(false)
  }

  disarm (exchange: ProxyExchange): void {
    if (exchange.isHeld) this.letGo(exchange)
    this.#takeOut(exchange)
  }

  #takeOut (exchange: ProxyExchange): void {
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
    this.#turning?.stop()
    this.#turning = null
  }

  #file (exchange: ProxyExchange, due: number): void {
    // What is due already (a hook took longer than the total) goes where the wheel comes by next, not where it has just been.
    const tick = Math.max(Math.ceil(due / TICK), this.#tick + 1)
    const slot = tick & (SLOTS - 1)
    const first = this.#slots[slot]!
    exchange.slot = slot
    exchange.filedDue = due
    exchange.behind = first
    if (first !== null) first.before = exchange
    this.#slots[slot] = exchange
    this.#filed++
  }

  #start (): void {
    this.now = this.#ticker.now()
    this.#tick = Math.floor(this.now / TICK)
    this.#idle = 0
    this.#turning = this.#ticker.every(TICK, () => { this.#turn() })
    if (this.#held > 0) this.#turning.hold(true)
  }

  #turn (): void {
    this.now = this.#ticker.now()
    if (this.#filed === 0) {
      // Kept for a while, so that one request after another does not start and stop a timer each time.
      if (++this.#idle > IDLE_TICKS) this.close()
      this.#tick = Math.floor(this.now / TICK)
      return
    }
    this.#idle = 0
    const last = Math.floor(this.now / TICK)
    // A loop that was held up for a whole round has every slot to look at, but none of them twice.
    const first = Math.max(this.#tick + 1, last - SLOTS + 1)
    // Before the walk: what is filed on the way must not land where it has passed.
    this.#tick = last
    for (let tick = first; tick <= last; tick++) this.#visit(tick & (SLOTS - 1))
  }

  #visit (slot: number): void {
    let expired: ProxyExchange[] | null = null
    let exchange = this.#slots[slot]!
    while (exchange !== null) {
      // Read first: filing it elsewhere changes it.
      const { behind } = exchange
      if (earliest(exchange) > this.now) {
        this.#fileAnew(exchange)
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
      if (exchange.slot === -1) continue
      if (earliest(exchange) > this.now) {
        // Where it is filed has just been passed.
        this.#fileAnew(exchange)
        continue
      }
      this.#takeOut(exchange)
      this.#expire(exchange, this.now)
    }
  }

  #fileAnew (exchange: ProxyExchange): void {
    this.#takeOut(exchange)
    const due = earliest(exchange)
    if (due !== Infinity) this.#file(exchange, due)
  }
}

function earliest (exchange: ProxyExchange): number {
  const { totalDue, attemptDue, phaseDue } = exchange
  const earlier = totalDue < attemptDue ? totalDue : attemptDue
  return earlier < phaseDue ? earlier : phaseDue
}
