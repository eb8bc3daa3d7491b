/** What a page claims to exist: paths, links and commands, each with its line. */
export type Citation = {
  kind: 'path' | 'link' | 'script' | 'admin'
  line: number
  target: string
}

export function findCitations(markdown: string): Citation[] {
  const found: Citation[] = []
  let fence: string | undefined
  for (const [index, text] of markdown.split('\n').entries()) {
    const line = index + 1
    const mark = /^\s*(```+|~~~+)(\w*)/.exec(text)
    if (mark) {
      fence = fence === undefined ? (mark[2] ?? '') : undefined
      continue
    }
    if (fence !== undefined) {
      // In a block only commands are claims; everything else is a picture.
      if (['', 'sh', 'bash', 'console', 'shell'].includes(fence))
        found.push(...commands(text, line))
      continue
    }
    found.push(...links(text, line), ...commands(text, line))
    for (const [, code = ''] of text.matchAll(/`([^`]+)`/g)) {
      if (looksLikePath(code)) found.push({ kind: 'path', line, target: code })
    }
  }
  return found
}

function links(text: string, line: number): Citation[] {
  const withoutCode = text.replaceAll(/`[^`]*`/g, (code) => ' '.repeat(code.length))
  return [...withoutCode.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target))
    .map((target) => ({ kind: 'link', line, target }))
}

function commands(text: string, line: number): Citation[] {
  const scripts = [...text.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)].map(
    ([, run, short]) => ({ kind: 'script' as const, line, target: run ?? short ?? '' }),
  )
  const admin = [
    ...text.matchAll(/\b(?:npm run admin -- |pnpm admin )([a-z][\w-]*(?: [a-z][\w-]*)?)/g),
  ].map(([, target = '']) => ({ kind: 'admin' as const, line, target }))
  return [...scripts, ...admin]
}

/** A path of the repository, not a URL path, a subject, a package or a placeholder. */
function looksLikePath(code: string): boolean {
  if (!/^\.?[\w@-][\w@.*{},/-]*$/.test(code)) return false
  const first = code.split('/')[0] ?? ''
  if (roots.has(first)) return code.includes('/')
  return !code.includes('/') && rootFile.test(code)
}

const roots = new Set(['apps', 'packages', 'tools', 'skills', 'infra', 'docs', '.github', '.ci'])
const rootFile =
  /^(README|CONTRIBUTING|LICENSE)\.md$|^(package|turbo|tsconfig|tsconfig\.base|knip)\.json$|^(vitest\.config\.ts|pnpm-workspace\.yaml|pnpm-lock\.yaml)$/
