import {
  commandOf,
  identify,
  isRunning,
  parentOf,
  type ProcessIdentity,
} from './process-identity.ts'

const pollEveryMs = 1000
const mostLevels = 5
const packageManager = /(^|[/ ])(npm|pnpm|yarn)(-cli)?(\.[cm]?js)?( |$)/

/**
 * Calls back once when npm, its shell or the bootstrap that started this process is gone: a kill -9
 * of one of them leaves nobody to press Ctrl-C. A shell or terminal above npm may come and go.
 */
export function watchAncestors(onGone: () => void): Disposable {
  const watched = launchers()
  const timer = setInterval(() => {
    if (watched.every(isRunning)) return
    clearInterval(timer)
    onGone()
  }, pollEveryMs)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/** From our parent up to the package manager; without one, the bootstrap alone; else nobody. */
function launchers(): ProcessIdentity[] {
  const chain: { pid: number; command: string }[] = []
  let pid: number | undefined = process.ppid
  while (pid !== undefined && pid > 1 && chain.length < mostLevels) {
    const command = commandOf(pid) ?? ''
    chain.push({ pid, command })
    if (packageManager.test(command)) break
    pid = parentOf(pid)
  }
  const top = chain.findLastIndex(
    ({ command }) => packageManager.test(command) || command.includes('bootstrap.mjs'),
  )
  return chain.slice(0, top + 1).flatMap((entry) => identify(entry.pid) ?? [])
}
