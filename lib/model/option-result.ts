import type { Phase } from '../../types/model.ts'
import { ProxyError, proxyError } from '../errors.ts'

/*
 * Checks of what functions of the options return. Types refuse a wrong one, but JavaScript has none, and a function marked `async` by mistake
 * returns a promise, which is true, no string, and ends the process when it rejects. A wrong result fails closed: the error ends the request
 * with `internal_error` (500), and its message, which only the log has, names the option.
 */

/** Its message does not vary with the traffic, so that it may stand as a reason. */
export class WrongResultError extends TypeError {}

/**
 * The error for what a function of the options has thrown, or its promise was rejected with. A code in it (ECONNREFUSED of a database) says nothing
 * of the upstream. The log has the name of the option beside the cause.
 */
export function thrownBy (option: string, cause: unknown, phase: Phase): Error {
  if (cause instanceof ProxyError || cause instanceof WrongResultError) return cause
  return Object.assign(proxyError('internal_error', phase, cause), { option })
}

/** True of an error of a function of the options, whose option the log has named. */
export function isOptionFault (error: unknown): boolean {
  return error instanceof ProxyError && ('option' in error || error.cause instanceof WrongResultError)
}

/** A function of the options whose errors name it. */
export function named<Args extends unknown[], Result> (option: string, phase: Phase, call: (...args: Args) => Result): (...args: Args) => Result {
  return function callOption (...args) {
    try {
      return call(...args)
    } catch (cause) {
      throw thrownBy(option, cause, phase)
    }
  }
}

/** True of a promise of whatever make. */
export function isThenable (value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  try {
    return typeof (value as PromiseLike<unknown>).then === 'function'
  } catch {
    // A getter that throws.
    return false
  }
}

/** A promise that was returned where none is wanted: nobody else will handle its rejection. */
export function isPromise (value: unknown): boolean {
  if (!isThenable(value)) return false
  Promise.resolve(value).catch(ignore)
  return true
}

/** Handles the rejections of all promises in an object that is refused for one of them. */
export function quieten (values: object): void {
  try {
    for (const value of Object.values(values).flat() as unknown[]) isPromise(value)
  } catch {
    // A getter that throws.
  }
}

/**
 * The error for a result that is not what the option asks for.
 * @param wanted what it asks for, to stand behind `must return`
 */
export function wrongResult (option: string, wanted: string, value: unknown): WrongResultError {
  return new WrongResultError(`\`${option}\` must return ${wanted}, not ${called(value)}`)
}

/** The same for a value that such a function has left in an object that it was given. */
export function wrongValue (subject: string, wanted: string, value: unknown): WrongResultError {
  return new WrongResultError(`${subject} must be ${wanted}, not ${called(value)}`)
}

/** @throws WrongResultError for anything but true and false */
export function checkBoolean (option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw wrongResult(option, 'true or false', value)
}

/** @throws WrongResultError for anything but a string */
export function checkString (option: string, value: unknown): string {
  if (typeof value === 'string') return value
  throw wrongResult(option, 'a string', value)
}

/** @throws WrongResultError for anything but a string and undefined */
export function checkOptionalString (option: string, value: unknown): string | undefined {
  if (typeof value === 'string' || value === undefined) return value
  throw wrongResult(option, 'a string or undefined', value)
}

/**
 * For functions that change what they are given and return nothing. An arrow function returns the value of its expression, which is of no
 * importance; only a promise says that the function is not through yet.
 * @throws WrongResultError for a promise
 */
export function checkSynchronous (option: string, value: unknown): void {
  if (typeof value === 'object' && value !== null && isPromise(value)) throw wrongResult(option, 'nothing', value)
}

/**
 * A key by which callers are told apart. An id may as well be a number, or an object with a text of its own (an ObjectId); undefined, null,
 * '' and NaN, which a number is that was not sent, are no key.
 * @throws WrongResultError for what has no text that tells one caller from another
 */
export function keyText (option: string, value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value
  if (value === undefined || value === null || Number.isNaN(value)) return undefined
  if (typeof value === 'function' || typeof value === 'symbol' || isPromise(value) || !hasOwnText(value)) throw wrongResult(option, 'a key', value)
  const text = textOf(option, value)
  // A list of plain objects.
  if (text.includes('[object ') && typeof value === 'object') throw wrongResult(option, 'a key', value)
  return text === '' ? undefined : text
}

/** Every plain object has the same text: all callers would share one key. */
function hasOwnText (value: object | number | bigint | boolean): boolean {
  if (typeof value !== 'object') return true
  return typeof value.toString === 'function' && value.toString !== Object.prototype.toString
}

/** A `toString` is the app's own as well. */
function textOf (option: string, value: unknown): string {
  try {
    return String(value)
  } catch (cause) {
    throw thrownBy(option, cause, 'select')
  }
}

function called (value: unknown): string {
  if (value === undefined || value === null) return String(value)
  if (isPromise(value)) return 'a promise'
  if (typeof value !== 'object') return `a ${typeof value}`
  quieten(value)
  return Array.isArray(value) ? 'an array' : 'an object'
}

function ignore (): void {}
