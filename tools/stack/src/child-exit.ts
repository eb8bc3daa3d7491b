import type { ChildProcess } from 'node:child_process'

/** How a child ended, in words; never rejects. A program that could not be started has ended, too. */
export function childExit(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ? `signal ${signal}` : `code ${code}`))
    child.once('error', (error) => resolve(error.message))
  })
}
