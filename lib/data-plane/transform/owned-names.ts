/*
 * Fields that the gateway sends or removes, in every spelling that an upstream may take for them. CGI, WSGI and PHP make variables of fields
 * and write every separator as '_': to them `X_User-Id` is `X-User-Id`, and a client could say under one name what it may not under the other.
 */

/** Whether both fold into the same variable: equal but for what stands in place of a separator. Both are in lower case. */
export function isSameVariable (a: string, b: string): boolean {
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index++) {
    const first = a.charCodeAt(index)
    const second = b.charCodeAt(index)
    if (first !== second && (isAlphanumeric(first) || isAlphanumeric(second))) return false
  }
  return true
}

/** Takes a name that was not known before out of what the client sent, in any spelling. */
export function dropSpellings (headers: Record<string, unknown>, name: string): void {
  for (const sent in headers) {
    if (isSameVariable(sent, name)) delete headers[sent]
  }
}

/** The X-Forwarded-* family in any spelling; called with names that begin with 'x'. */
export function isForwardedField (name: string): boolean {
  return name.length > FAMILY && name.startsWith('forwarded', 2) && !isAlphanumeric(name.charCodeAt(1)) && !isAlphanumeric(name.charCodeAt(FAMILY - 1))
}

/** A spelling of that family that nobody means who writes the field as it is called. */
export function isForwardedMisspelt (name: string): boolean {
  return isForwardedField(name) && !/^[a-z0-9-]*$/.test(name)
}

/** Characters of `x-forwarded-`. */
const FAMILY = 12

/** The names of one route. */
export class OwnedNames {
  /** By their lengths: few names of a request are compared. */
  readonly #byLength = new Map<number, string[]>()
  /** One bit for each length, modulo 32. */
  #lengths = 0

  constructor (names: Iterable<string> = []) {
    for (const name of names) this.add(name)
  }

  get isEmpty (): boolean {
    return this.#lengths === 0
  }

  add (name: string): void {
    const lowerCased = name.toLowerCase()
    const { length } = lowerCased
    const known = this.#byLength.get(length)
    if (known === undefined) this.#byLength.set(length, [lowerCased])
    else if (!known.includes(lowerCased)) known.push(lowerCased)
    this.#lengths |= 1 << (length & 31)
  }

  /** Whether an owned field may be meant by this name, in any spelling. */
  has (name: string): boolean {
    const known = this.#sameLength(name)
    return known !== undefined && known.some((own) => isSameVariable(own, name))
  }

  /** Whether an owned field may be meant, and this is not its own name. */
  isMisspelt (name: string): boolean {
    const known = this.#sameLength(name)
    return known !== undefined && !known.includes(name) && known.some((own) => isSameVariable(own, name))
  }

  #sameLength ({ length }: string): string[] | undefined {
    return (this.#lengths >>> (length & 31) & 1) === 0 ? undefined : this.#byLength.get(length)
  }
}

function isAlphanumeric (char: number): boolean {
  return (char >= 0x61 && char <= 0x7a) || (char >= 0x30 && char <= 0x39)
}
