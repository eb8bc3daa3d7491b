// The one door of every npm script: plain JavaScript without dependencies, because it runs on the
// machine's own Node before anything of ours is there. It installs what is missing and then hands
// over to the Node of this checkout, so that every script runs on the same version everywhere.
import { spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import fs from 'node:fs'
import { constants } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const minimumNode = 20
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
const stateDir = path.join(root, '.twilight')
const binDir = path.join(root, 'node_modules', '.bin')
const installTimeoutMs = 15 * 60_000
const lockTimeoutMs = 10 * 60_000

const commands = {
  start: {
    run: ['tools/stack/src/start.ts'],
    summary: 'install what is missing and run everything',
    options: [
      ['--detach', 'return once everything is ready; "npm run stop" ends it'],
      ['--ports-from N', 'first port of the range all our ports lie in (8700)'],
      ['--home DIR', 'where data, logs and passwords live (.twilight)'],
      ['--json', 'print the result as JSON on standard output, progress on standard error'],
    ],
  },
  stop: {
    run: ['tools/stack/src/stop.ts'],
    summary: 'stop what "npm start" runs',
    keepInstall: true,
    options: [
      ['--home DIR', 'the folder given to start (.twilight)'],
      ['--json', 'print the result as JSON'],
    ],
  },
  logs: {
    run: ['tools/stack/src/logs.ts'],
    summary: 'follow the logs of everything, or of the apps named',
    keepInstall: true,
    options: [
      ['[app...]', 'only these, for example: npm run logs data-api'],
      ['--lines N', 'how many earlier lines of each to show (20)'],
      ['--no-follow', 'print them and return'],
      ['--home DIR', 'the folder given to start (.twilight)'],
    ],
  },
  test: {
    run: ['tools/stack/src/test.ts'],
    summary: 'every static check and every test; the last line says "N passed, N failed"',
    options: [
      ['[path...]', 'only tests whose path contains one of these, without the static checks'],
      ['--json', 'print the result as JSON on standard output, progress on standard error'],
    ],
  },
  check: {
    run: ['tools/stack/src/test.ts', '--quick'],
    summary: 'the quick part of test: static checks and the tests that start no server',
    options: [
      ['[path...]', 'only tests whose path contains one of these, without the static checks'],
      ['--json', 'print the result as JSON on standard output, progress on standard error'],
    ],
  },
  format: {
    program: 'oxfmt',
    summary: 'format the sources',
    options: [['[path...]', 'only these (everything)']],
  },
  bench: {
    run: ['tools/bench/src/main.ts'],
    summary: 'what the product costs, as ratios to bare servers in the same run',
    ownHelp: true,
    options: [],
  },
  admin: {
    run: ['tools/admin/src/main.ts'],
    summary: "the operator's commands",
    ownHelp: true,
    options: [],
  },
}

await main(process.argv[2], process.argv.slice(3))

async function main(name, args) {
  const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined
  const wantsHelp = args.includes('--help') || args.includes('-h')
  if (!command) {
    const asked = name === undefined || name === '--help' || name === '-h' || name === 'help'
    if (!asked) console.error(`There is no command "${name}".`)
    console[asked ? 'log' : 'error'](listCommands())
    process.exitCode = name === undefined || !asked ? 1 : 0
    return
  }
  if (wantsHelp && !command.ownHelp) {
    console.log(describe(name, command))
    return
  }
  const running = process.versions.node
  if (Number(running.split('.')[0]) < minimumNode) {
    fail(`Node ${running} is too old: install Node ${minimumNode} or newer, then run this again.`)
    return
  }
  const installed = fs.existsSync(path.join(binDir, 'node'))
  if (command.keepInstall && !installed) {
    console.log('Nothing is running: nothing has been installed in this checkout yet.')
    return
  }
  try {
    // stop and logs look at what runs now: they never swap packages under it.
    if (!command.keepInstall) await installWhatIsMissing()
    await handOver(command, args)
  } catch (error) {
    fail(error.message)
  }
}

async function installWhatIsMissing() {
  if (readStamp() === wantedStamp()) return
  try {
    fs.mkdirSync(path.join(stateDir, 'logs'), { recursive: true })
  } catch (error) {
    throw new Error(
      `Cannot write to ${stateDir} (${error.code}): make this checkout writable, then run this again.`,
      { cause: error },
    )
  }
  const release = await lock(path.join(stateDir, 'install.lock'))
  try {
    // Someone else may have installed it while we waited.
    if (readStamp() === wantedStamp()) return
    const pnpm = await installPnpm()
    await step('Packages', pnpm, ['install', '--frozen-lockfile'], root)
    if (!fs.existsSync(path.join(binDir, 'node'))) {
      throw new Error('The packages are installed, but node_modules/.bin/node is missing.')
    }
    const stamp = path.join(stateDir, 'installed')
    fs.writeFileSync(`${stamp}.${process.pid}`, wantedStamp())
    fs.renameSync(`${stamp}.${process.pid}`, stamp)
  } finally {
    release()
  }
}

/** What decides which packages belong here; the Node of node_modules must be there too. */
function wantedStamp() {
  const hash = createHash('sha256')
  hash.update(`${process.platform}-${process.arch}\n`)
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json']) {
    hash.update(fs.readFileSync(path.join(root, file)))
  }
  return hash.digest('hex')
}

function readStamp() {
  if (!fs.existsSync(path.join(binDir, 'node'))) return undefined
  try {
    return fs.readFileSync(path.join(stateDir, 'installed'), 'utf8')
  } catch {
    // Not installed by us yet: installing again is cheap when everything is there.
    return undefined
  }
}

async function installPnpm() {
  const { packageManager } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
  const folder = path.join(stateDir, 'tools', packageManager.replace('@', '-'))
  const program = path.join(folder, 'node_modules', '.bin', 'pnpm')
  if (fs.existsSync(path.join(folder, 'complete'))) return program
  fs.rmSync(folder, { recursive: true, force: true })
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(path.join(folder, 'package.json'), '{"private":true}\n')
  const args = ['install', '--no-audit', '--no-fund', '--no-package-lock', packageManager]
  await step(packageManager.replace('@', ' '), 'npm', args, folder)
  fs.writeFileSync(path.join(folder, 'complete'), '')
  return program
}

/** Runs one installer with its output in a log, and shows what is happening and for how long. */
async function step(title, program, args, cwd) {
  const logFile = path.join(stateDir, 'logs', 'install.log')
  const log = fs.openSync(logFile, 'w')
  const started = Date.now()
  const seconds = () => `${((Date.now() - started) / 1000).toFixed(1)} s`
  // Progress goes to standard error: standard output belongs to the command that follows.
  const tty = process.stderr.isTTY
  const show = (text) => process.stderr.write(tty ? `\r\u001b[2K${text}` : `${text}\n`)
  show(`… ${title}: installing`)
  const ticker = setInterval(() => show(`… ${title}: installing, ${seconds()}`), tty ? 200 : 15_000)
  try {
    const { code, error } = await run(program, args, { cwd, stdio: ['ignore', log, log] })
    if (code === 0) {
      show(`✓ ${title}: installed in ${seconds()}${tty ? '\n' : ''}`)
      return
    }
    if (tty) process.stderr.write('\n')
    const said = fs.readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n  ')
    throw new Error(
      `${title} could not be installed (${error ?? `"${path.basename(program)}" ended with ${code}`}). ` +
        `Check the network, then run this again. The end of .twilight/logs/install.log:\n  ${said}`,
    )
  } finally {
    clearInterval(ticker)
    fs.closeSync(log)
  }
}

function run(program, args, options) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { ...options, detached: true, env: environment() })
    const end = (signal) => signalGroup(child.pid, signal)
    const timer = setTimeout(() => end('SIGKILL'), installTimeoutMs)
    const interrupt = (signal) => {
      end('SIGTERM')
      process.exitCode = 128 + constants.signals[signal]
    }
    const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP']
    for (const signal of forwarded) process.on(signal, interrupt)
    const done = (result) => {
      clearTimeout(timer)
      for (const signal of forwarded) process.off(signal, interrupt)
      resolve(result)
    }
    child.once('error', (error) => done({ code: 1, error: error.message }))
    child.once('exit', (code, signal) => done({ code: code ?? signal }))
  })
}

function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal)
  } catch {
    // It has ended already.
  }
}

/** A file naming its owner; the file of an owner that is gone is taken over. */
async function lock(file) {
  const mine = `${process.pid} ${startOf(process.pid)} ${randomUUID()}`
  const deadline = Date.now() + lockTimeoutMs
  let told = false
  while (Date.now() < deadline) {
    try {
      fs.writeFileSync(file, mine, { flag: 'wx' })
      return () => fs.rmSync(file, { force: true })
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    takeAwayStaleLock(file)
    if (!told && fs.existsSync(file)) {
      process.stderr.write('… another command is installing packages: waiting for it\n')
      told = true
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error(`${file} is held by another command for too long: end it, or delete the file.`)
}

function takeAwayStaleLock(file) {
  const owner = readIfThere(file)
  // An empty file was created this instant, or by a process that died right then.
  const age = owner === '' ? Date.now() - (statIfThere(file)?.mtimeMs ?? Date.now()) : 0
  if (owner === undefined || (owner === '' && age < 5000)) return
  if (owner !== '' && isAlive(owner)) return
  // Renaming is atomic: of several that saw the stale lock, one takes it away.
  const aside = `${file}.${randomUUID()}`
  try {
    fs.renameSync(file, aside)
  } catch {
    return
  }
  // Between reading and renaming someone may have made a new one: give that back.
  if (readIfThere(aside) !== owner) fs.linkSync(aside, file)
  fs.rmSync(aside, { force: true })
}

function readIfThere(file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    // Its owner has just released it.
    return undefined
  }
}

function statIfThere(file) {
  return fs.statSync(file, { throwIfNoEntry: false })
}

function isAlive(owner) {
  const [pid, start] = owner.split(' ')
  try {
    process.kill(Number(pid), 0)
  } catch (error) {
    if (error.code !== 'EPERM') return false
  }
  // The same number may belong to another process by now.
  return startOf(pid) === start
}

/** When a process began, where /proc tells; a constant elsewhere. */
function startOf(pid) {
  const stat = readIfThere(`/proc/${pid}/stat`)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '-'
}

/** Runs the command on the Node of this checkout; signals, streams and the exit code pass through. */
async function handOver(command, args) {
  const program = path.join(binDir, command.program ?? 'node')
  const files = (command.run ?? []).map((part) =>
    part.endsWith('.ts') ? path.join(root, part) : part,
  )
  const child = spawn(program, [...files, ...args], {
    stdio: 'inherit',
    env: environment(),
    cwd: root,
  })
  const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']
  const forward = (signal) => child.kill(signal)
  for (const signal of forwarded) process.on(signal, forward)
  const { code, signal } = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (exitCode, exitSignal) => resolve({ code: exitCode, signal: exitSignal }))
  })
  for (const name of forwarded) process.off(name, forward)
  process.exitCode = code ?? 128 + constants.signals[signal]
}

function environment() {
  return { ...process.env, PATH: `${binDir}${path.delimiter}${process.env['PATH'] ?? ''}` } // oxlint-disable-line node/no-process-env -- runs before any config file can
}

function listCommands() {
  const lines = Object.entries(commands).map(
    ([name, command]) => `  ${usage(name).padEnd(16)}${command.summary}`,
  )
  return `Commands:\n${lines.join('\n')}\n\nEach explains itself with --help, for example: npm start -- --help`
}

function describe(name, command) {
  const lines = command.options.map(([option, text]) => `  ${option.padEnd(18)}${text}`)
  const hint = `${usage(name)} -- [options]`
  return `${hint}\n${command.summary}\n\n${lines.join('\n')}`
}

function usage(name) {
  return name === 'start' || name === 'test' ? `npm ${name}` : `npm run ${name}`
}

function fail(message) {
  console.error(message)
  process.exitCode = 1
}
