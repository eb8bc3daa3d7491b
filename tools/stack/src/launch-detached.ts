import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { childExit } from './child-exit.ts'
import type { StartConfig } from './config.ts'
import { logFile } from './log-files.ts'
import { prepareHome } from './preflight.ts'
import type { Report, StackEvent } from './stack-event.ts'
import type { StackFile } from './stack-file.ts'

/** Starts the supervisor as a process of its own and returns when it says that everything is ready. */
export async function launchDetached(options: {
  argv: string[]
  entry: string
  config: StartConfig
  report: Report
}): Promise<StackFile> {
  const { config, report } = options
  prepareHome(config.home)
  const log = openSync(logFile(config.home, 'stack'), 'a')
  const child = spawn(process.execPath, [options.entry, ...options.argv, '--supervise'], {
    stdio: ['ignore', log, log, 'ipc'],
    detached: true,
  })
  closeSync(log)
  const exited = childExit(child)
  // A Ctrl-C reaches only this process: pass it on, and wait for the stack to be gone again.
  const passOn = () => void child.kill('SIGTERM')
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, passOn)
  try {
    return await new Promise<StackFile>((resolve, reject) => {
      let reason: string | undefined
      child.on('message', (message: SupervisorMessage) => {
        if ('event' in message) report(message.event)
        else if ('ready' in message) resolve(message.ready)
        else reason = message.failed
      })
      void exited.then((how) => reject(new Error(reason ?? `The supervisor ended with ${how}.`)))
    })
  } finally {
    for (const signal of signals) process.off(signal, passOn)
    if (child.connected) child.disconnect()
    child.unref()
  }
}

/** The other side: what the supervisor tells its starter, for as long as there is one. */
export function talkToLauncher(): {
  report: Report
  onReady: (stack: StackFile) => void
  onFailed: (reason: string) => void
  starterGone: AbortSignal
} {
  const gone = new AbortController()
  const onDisconnect = () => gone.abort()
  process.once('disconnect', onDisconnect)
  return {
    report: (event) => send({ event }),
    onReady: (ready) => {
      process.off('disconnect', onDisconnect)
      sendLast({ ready })
    },
    onFailed: (failed) => {
      process.off('disconnect', onDisconnect)
      sendLast({ failed })
    },
    starterGone: gone.signal,
  }
}

function send(message: SupervisorMessage, then = () => {}): void {
  // A starter that has gone is told by "disconnect"; the log has everything as well.
  if (process.connected) process.send?.(message, undefined, undefined, then)
}

/** Nothing follows: the channel closes, for an open one would keep a failed supervisor alive. */
function sendLast(message: SupervisorMessage): void {
  send(message, () => {
    if (process.connected) process.disconnect()
  })
}

type SupervisorMessage = { event: StackEvent } | { ready: StackFile } | { failed: string }
