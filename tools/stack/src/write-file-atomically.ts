import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs'

/** Readers see the old content or the new one, also after a power cut. */
export function writeFileAtomically(file: string, content: string): void {
  const draft = `${file}.${process.pid}.draft`
  const handle = openSync(draft, 'w', 0o600)
  try {
    writeSync(handle, content)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  renameSync(draft, file)
}
