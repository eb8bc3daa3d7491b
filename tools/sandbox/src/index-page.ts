import { html } from 'hono/html'
import type { AppDeps } from './app.ts'
import { inBeijing } from './market/dates.ts'

type Html = ReturnType<typeof html>

/** The page a person opens first: who is simulated, what was called, what is broken on purpose. */
export function renderIndexPage({ counts, faults, chaos, clock, upstreams }: AppDeps): Html {
  const report = counts.report()
  const { date, minute } = inBeijing(clock.now())
  const time = `${Math.floor(minute / 60)}:${String(minute % 60).padStart(2, '0')}`
  const { percent, seed } = chaos.state()
  const active = faults.list()
  return html`<!doctype html>
    <html lang="zh-CN">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="refresh" content="5" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>沙箱 · 模拟第三方</title>
        <style>
          body {
            font:
              15px/1.5 system-ui,
              sans-serif;
            max-width: 56rem;
            margin: 2rem auto;
            padding: 0 1rem;
            color: #1d2733;
          }
          h1 {
            font-size: 1.4rem;
          }
          h2 {
            font-size: 1.1rem;
            margin-top: 2rem;
          }
          table {
            border-collapse: collapse;
            width: 100%;
          }
          th,
          td {
            text-align: left;
            padding: 0.25rem 0.6rem;
            border-bottom: 1px solid #dde3ea;
          }
          code {
            background: #f1f4f7;
            padding: 0.1rem 0.3rem;
            border-radius: 3px;
          }
          .on {
            color: #b3261e;
            font-weight: 600;
          }
          .dim {
            color: #7a8794;
          }
        </style>
      </head>
      <body>
        <h1>沙箱 · 模拟第三方</h1>
        <p>
          北京时间 <b>${date} ${time}</b>${clock.isPinned() ? '（时钟已固定）' : ''} · 混沌
          <b class="${percent > 0 ? 'on' : ''}">${percent} %</b>（种子 ${seed}） · 共
          <b>${report.total}</b> 次调用
        </p>
        <h2>故障</h2>
        ${
          active.length === 0
            ? html`<p class="dim">当前没有注入的故障。</p>`
            : html`<table>
                <tr>
                  <th>上游</th>
                  <th>接口</th>
                  <th>类型</th>
                  <th>剩余次数</th>
                </tr>
                ${active.map(
                  (fault) =>
                    html`<tr class="on">
                      <td>${fault.upstream}</td>
                      <td>${fault.endpoint ?? '全部'}</td>
                      <td>${fault.kind}</td>
                      <td>${fault.times ?? '不限'}</td>
                    </tr>`,
                )}
              </table>`
        }
        ${upstreams.map(({ party, ownUrl }) => renderParty(party.title, ownUrl ?? `/${party.name}`, party.docs, party.endpoints, report.calls[party.name] ?? {}, report.outcomes[party.name] ?? {}))}
        <h2>控制</h2>
        <p>
          <a href="/__sandbox/calls"><code>GET /__sandbox/calls</code></a> ·
          <a href="/__sandbox/faults"><code>GET /__sandbox/faults</code></a> ·
          <a href="/__sandbox/chaos"><code>GET /__sandbox/chaos</code></a> ·
          <a href="/__sandbox/clock"><code>GET /__sandbox/clock</code></a> ·
          <code>POST /__sandbox/reset</code>
        </p>
        <p class="dim">用法与局限见仓库中的 <code>docs/sandbox.md</code>。所有行情均为合成数据。</p>
      </body>
    </html>`
}

function renderParty(
  title: string,
  url: string,
  docs: string,
  endpoints: readonly string[],
  calls: Record<string, number>,
  outcomes: Record<string, Record<string, number>>,
): Html {
  const names = [...endpoints, ...Object.keys(calls).filter((name) => !endpoints.includes(name))]
  return html`<h2>${title} <code>${url}</code></h2>
    <p class="dim">${docs}</p>
    <table>
      <tr>
        <th>接口</th>
        <th>调用</th>
        <th>结果</th>
      </tr>
      ${names.map(
        (name) =>
          html`<tr>
            <td>${name}</td>
            <td>${calls[name] ?? 0}</td>
            <td>
              ${Object.entries(outcomes[name] ?? {})
                .map(([outcome, count]) => `${outcome} × ${count}`)
                .join('，')}
            </td>
          </tr>`,
      )}
    </table>`
}
