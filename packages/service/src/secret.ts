import { inspect } from 'node:util'

/**
 * A value that must not be printed: only `reveal()` gives it, everything that formats shows `[secret]`.
 *
 *     const key = new Secret('hunter2')
 *     `${key}` // "[secret]"
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}
