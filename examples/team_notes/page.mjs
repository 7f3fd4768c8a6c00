// The two pages: who are you, and what you may see.
import { secondBrowser } from '../todo_sync/web.mjs'
import { people } from './public/people.mjs'
import { escape, icon } from './public/view.mjs'

const avatar = ({ id, name }) => `<span class="avatar ${id}" aria-hidden="true">${name[0]}</span>`
const sees = ({ team, manager }) =>
  manager ? 'the notes of both teams, and remarks for managers' : `the notes of the ${team.toLowerCase()}`

function head(title, scripts = '') {
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <meta name="htmx-config" content='{"includeIndicatorStyles": false, "allowEval": false}'>
  <title>${title} · Syncline</title>
  <meta name="theme-color" content="#f4f3ee" media="(prefers-color-scheme: light)">
  <meta name="theme-color" content="#14171a" media="(prefers-color-scheme: dark)">
  <link rel="icon" href="files/todo_sync/public/icon.svg">
  <link rel="stylesheet" href="files/todo_sync/public/style.css">
  <link rel="stylesheet" href="files/team_notes/public/notes.css">${scripts}
</head>`
}

const logo = '<img src="files/todo_sync/public/icon.svg" alt="" width="32" height="32">'

export function signInPage() {
  const cards = people.map(
    one =>
      `<button class="card" name="person" value="${one.id}">${avatar(one)}<span><b>${one.name}</b><small>Sees ${sees(one)}</small></span></button>`,
  )
  return `${head('Sign in')}
<body>
<main class="sign-in">
  <h1>${logo}Team notes</h1>
  <p class="lead">Three people, one table, three views of it. Who are you? (No passwords here: it is an example.)</p>
  <form method="post" action="sign-in">${cards.join('')}</form>
</main>
</body>
</html>
`
}

/**
 * @param {{ user: object, file: string, script: string, rules: string, host: string, base: string }} options `file`: where the database
 * is, for those who want to write into it; `script`: where the client is; `host`: the request's header;
 * `base`: the path under which all of it lives
 */
export function notesPage({ user, file, script, rules, host, base }) {
  const other = secondBrowser(host)
  const second =
    other === undefined
      ? 'Open this page in another browser'
      : `<a href="${escape(other + base)}/" target="_blank" rel="noopener">Open a second window</a>`
  return `${head(
    'Team notes',
    `
  <script src="files/htmx.js"></script>
  <script src="${script}" data-sync-entities="notes" data-sync-user="${user.id}"></script>
  <script type="module" src="files/team_notes/public/notes.js"></script>`,
  )}
<body data-user="${user.id}">
<header>
  <h1>${logo}Team notes</h1>
  <div class="person">
    <span id="pill" class="pill" data-state="connecting"><i></i><span id="word">connecting</span></span>
    ${avatar(user)}
    <form method="post" action="sign-out"><button class="plain">Sign out</button></form>
  </div>
</header>
<p id="summary" class="summary" role="status">Signed in as ${user.name}, who sees ${sees(user)}.</p>

<div class="columns">
<main>
  <form class="add note-form" autocomplete="off" method="post" data-rhtmx-form="notes" data-rhtmx-form-mode="always">
    <input type="hidden" name="owner" value="${user.id}"><input type="hidden" name="team" value="${user.team}">
    <label class="hidden" for="text">A note for the ${user.team.toLowerCase()}</label>
    <input id="text" name="text" dir="auto" required pattern=".*\\S.*" maxlength="200" placeholder="A note for the ${user.team.toLowerCase()}" enterkeyhint="done">
    <button class="primary">Add</button>
  </form>

  <section id="letters" class="letters" role="alert" aria-labelledby="letters-title" hidden>
    <h2 id="letters-title">Not allowed</h2>
    <ul></ul>
  </section>

  <ul id="rows" class="rows" aria-label="Notes" hx-get="rows" hx-trigger="load, refresh, rhtmx:notes:changed from:body"></ul>
  <p id="empty" class="empty" tabindex="-1" hidden>No notes here.</p>

  <section class="rules" aria-labelledby="rules-title">
    <h2 id="rules-title">The rules, all of them</h2>
    <pre tabindex="0"><code>${escape(rules)}</code></pre>
  </section>
</main>

<aside id="panel" class="panel" aria-labelledby="panel-title">
  <h2 id="panel-title">On this device</h2>
  <dl>
    <dt>Notes</dt><dd id="count">–</dd>
    <dt>Columns</dt><dd id="columns">–</dd>
  </dl>
  <h3>Try it</h3>
  <ol>
    <li>${second}, and be somebody else there.</li>
    <li>Give a note of yours to somebody of the other team: it leaves here and appears there.</li>
    <li>Tick a note that is not yours: the server refuses, and says why.</li>
    <li>Or write with any SQL tool:
      <pre tabindex="0"><code>sqlite3 ${escape(file)} \\
  "UPDATE notes SET team = 'Bar'"</code></pre></li>
  </ol>
</aside>
</div>
</body>
</html>
`
}
