import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { z } from 'zod'

// The package as a stranger gets it: compiled, alone with zod, run by a plain Node.
const packageDirectory = fileURLToPath(new URL('..', import.meta.url))
const manifest = z
  .object({
    exports: z.record(z.string(), z.string()),
    publishConfig: z.object({
      exports: z.record(
        z.string(),
        z.union([z.string(), z.object({ types: z.string(), default: z.string() })]),
      ),
    }),
    dependencies: z.record(z.string(), z.string()),
  })
  .loose()
  .parse(JSON.parse(readFileSync(join(packageDirectory, 'package.json'), 'utf8')))

let home: string
let installed: string

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'cite-envelope-'))
  installed = join(home, 'node_modules/@twilight/cite-envelope')
  mkdirSync(installed, { recursive: true })
  const { publishConfig, ...rest } = manifest
  writeFileSync(join(installed, 'package.json'), JSON.stringify({ ...rest, ...publishConfig }))
  symlinkSync(
    realpathSync(join(packageDirectory, 'node_modules/zod')),
    join(home, 'node_modules/zod'),
  )
  const compiler = join(
    createRequire(import.meta.url).resolve('typescript/package.json'),
    '../bin/tsc',
  )
  const project = join(packageDirectory, 'tsconfig.build.json')
  const target = join(installed, 'dist')
  execFileSync(process.execPath, [compiler, '-p', project, '--outDir', target], { timeout: 60_000 })
})

afterAll(() => rmSync(home, { recursive: true, force: true }))

function run(code: string): string {
  const options = { cwd: home, input: code, encoding: 'utf8' as const, timeout: 30_000 }
  return execFileSync(process.execPath, ['--input-type=module', '-'], options)
}

it('the example of the README runs and prints what it says', () => {
  const readme = readFileSync(join(packageDirectory, 'README.md'), 'utf8')
  const code = /```js\n([^]*?)```/.exec(readme)?.[1] ?? ''
  const promised = [...code.matchAll(/^\/\/ (.*)$/gm)].map(([, line]) => line)
  expect(promised.length).toBeGreaterThan(0)
  expect(run(code).trim().split('\n')).toEqual(promised)
})

it('every module can be imported by its published name, and none is left out', () => {
  expect(Object.keys(manifest.publishConfig.exports)).toEqual(Object.keys(manifest.exports))
  const modules = Object.keys(manifest.exports).filter((name) => !name.includes('*'))
  const imports = modules.map((name) => `await import('@twilight/cite-envelope/${name.slice(2)}')`)
  expect(run(`${imports.join('\n')}\nconsole.log('all')`)).toBe('all\n')
})

it('needs zod alone and nothing that only Node has', () => {
  expect(Object.keys(manifest.dependencies)).toEqual(['zod'])
  for (const file of readdirSync(join(installed, 'dist')).filter((name) => name.endsWith('.js'))) {
    const code = readFileSync(join(installed, 'dist', file), 'utf8')
    for (const [, from = ''] of code.matchAll(/\bfrom '([^']+)'|\bimport\('([^']+)'\)/g)) {
      expect(from).toMatch(/^(zod|\.\/[a-z-]+\.js)$/)
    }
    expect(code).not.toMatch(/\b(process|Buffer|require|__dirname)\b[.(]/)
  }
})
