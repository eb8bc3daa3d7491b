import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomically } from './write-file-atomically.ts'

/** What tools and tests may know about the running stack; it holds passwords, so only its owner reads it. */
export type StackFile = {
  ready: boolean
  pid: number
  node: string
  urls: Record<string, string>
  tokens: { user?: string; admin?: string }
  postgres: string
  nats: string
  logs: string
}

export function writeStackFile(home: string, stack: StackFile): void {
  writeFileAtomically(join(home, 'stack.json'), `${JSON.stringify(stack, undefined, 2)}\n`)
}

export function readStackFile(home: string): StackFile | undefined {
  try {
    const stack: StackFile = JSON.parse(readFileSync(join(home, 'stack.json'), 'utf8'))
    return stack
  } catch {
    // No stack has been started here, or it ended.
    return undefined
  }
}

export function removeStackFile(home: string): void {
  rmSync(join(home, 'stack.json'), { force: true })
}
