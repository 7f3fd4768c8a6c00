// The one page: the row as the server has it, which the script goes on with.
import { secondBrowser } from '../todo_sync/web.mjs'
import { escape, icon } from '../todo_sync/public/view.mjs'
import { fields, nameOf, others, plan } from './public/fields.mjs'

const place = 'files/shared-form/public'
const common = 'files/todo_sync/public'

function fieldHtml({ name, label, max, number, lines }, row) {
  const attributes = `id="${name}" name="${name}" data-rhtmx-bind="plans:${plan}:${name}" autocomplete="off" aria-describedby="${name}-more"`
  const value = escape(row[name])
  const control = lines
    ? `<textarea ${attributes} dir="auto" maxlength="${max}" rows="${lines}">${value}</textarea>`
    : number
      ? `<input ${attributes} type="number" inputmode="numeric" value="${value}">`
      : `<input ${attributes} type="text" dir="auto" maxlength="${max}" value="${value}">`
  return `<div class="field${max > 80 ? ' wide' : ''}" data-field="${name}">
    <p class="label"><label for="${name}">${label}</label><span class="tag waiting" title="On this device; not sent yet" hidden>${icon('clock')}waiting</span></p>
    ${control}
    <div id="${name}-more" class="more" aria-live="polite"></div>
  </div>`
}

/**
 * @param {{ row: object, user: { id: string }, file: string, script: string, base: string, host: string }} options
 * `file`: where the database is, for those who want to write into it; `script`: where the client is; `base`: the path
 * under which all of it lives; `host`: the request's header
 */
export function page({ row, user, file, script, base, host }) {
  const [other] = others(user.id)
  const elsewhere = `${secondBrowser(host) ?? ''}${base}/?as=${other}`
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Party plan · Syncline</title>
  <meta name="theme-color" content="#f4f3ee" media="(prefers-color-scheme: light)">
  <meta name="theme-color" content="#14171a" media="(prefers-color-scheme: dark)">
  <link rel="icon" href="${common}/icon.svg">
  <link rel="stylesheet" href="${common}/style.css">
  <link rel="stylesheet" href="${place}/form.css">
  <script src="${script}" data-sync-entities="plans" data-field-strategy="keep-both" data-sync-user="${user.id}"></script>
  <script src="${common}/offline.js"></script>
  <script src="${common}/install.js" defer></script>
  <script type="module" src="${place}/form.js"></script>
</head>
<body data-user="${user.id}">
<header>
  <h1><img src="${common}/icon.svg" alt="" width="32" height="32">Party plan</h1>
  <p class="me"><span id="pill" class="pill" data-state="connecting"><i></i><span id="word">connecting</span></span><span class="avatar ${user.id}" title="You are ${nameOf(user.id)}">${nameOf(user.id)[0]}</span></p>
</header>
<p id="summary" class="summary" role="status"></p>

<div class="columns">
<main>
  <form id="plan" class="sheet" method="post" action="save">
    ${fields.map(field => fieldHtml(field, row)).join('\n    ')}
    <noscript><p class="wide"><button class="primary">Save</button></p></noscript>
  </form>
</main>

<aside class="panel" aria-labelledby="panel-title">
  <h2 id="panel-title">This is ${nameOf(user.id)}’s browser</h2>
  <p class="switch"><label for="offline">Work offline<small>Edit on, reload if you like. It is sent when you come back.</small></label><input type="checkbox" role="switch" id="offline"></p>
  <dl>
    <dt>Waiting to be sent</dt><dd id="pending">nothing</dd>
    <dt>To be settled</dt><dd id="open">nothing</dd>
    <dt>Kept in</dt><dd id="storage">–</dd>
  </dl>
  <h3>Try it</h3>
  <ol>
    <li><a href="${escape(elsewhere)}" target="_blank" rel="noopener">Open ${nameOf(other)}’s browser</a> beside this one.</li>
    <li>Work offline in both. Change one field here and another there, come back: both are kept.</li>
    <li>Now the same field on both sides: the first one who comes back has it, both are asked, and whoever answers first settles it.</li>
    <li>Or write with any SQL tool:
      <pre tabindex="0"><code>sqlite3 ${escape(file)} \\
  "UPDATE plans SET guests = 30"</code></pre></li>
  </ol>
</aside>
</div>
</body>
</html>
`
}
