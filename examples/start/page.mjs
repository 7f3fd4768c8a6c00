// The start page: one application in two browsers that know nothing of each other.
import { escape } from '../todo_sync/public/view.mjs'
import { secondBrowser } from '../todo_sync/web.mjs'

/** What the page of the third example does, in short. */
const settling = `<script src="/api/sync/field-client.js" data-sync-entities="plans"></script>

RHTMXFieldSync.recordFieldChange('plans', 1, 'place', 'The lake')

addEventListener('rhtmx:field:conflict', ({ detail }) => {
  detail.field // 'place'
  detail.server_value // 'Ben’s garden', which stands
  detail.client_value // 'The lake', which did not survive
  detail.keepMine() // or keepTheirs(), or resolve('Somewhere else')
})`

/**
 * @param {string} host the request's Host header
 * @param {string} file the example's database
 * @param {string} rules the access rules of the second example
 */
export function startPage(host, file, rules) {
  const frames = ['', secondBrowser(host) ?? ''].map(origin => `${origin}/todo_sync/`)
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Syncline</title>
  <link rel="icon" href="todo_sync/icon.svg">
  <link rel="stylesheet" href="style.css">
</head>
<body>
<header>
  <p class="brand"><img src="todo_sync/icon.svg" alt="" width="36" height="36">Syncline</p>
  <h1>Your SQL tables, live in every browser. Also offline.</h1>
  <p class="lead">Below is one small application<span class="only-wide">, twice</span>: an ordinary SQLite table, htmx, and one script tag.
  <a class="only-phone" href="todo_sync/">Open it</a><span class="only-phone">, best in two windows.</span></p>
</header>
<main>
  <div class="devices">
    <figure><figcaption>Ada’s browser</figcaption><iframe src="${escape(frames[0])}" title="Todos, first browser"></iframe></figure>
    <figure><figcaption>Ben’s browser</figcaption><iframe src="${escape(frames[1])}" title="Todos, second browser"></iframe></figure>
  </div>
  <ol class="steps">
    <li><strong>Tick something.</strong> The other side follows within milliseconds.</li>
    <li><strong>Go offline on one side</strong> (press <em>connected</em>). Edit both, reload, come back: nothing is lost.</li>
    <li><strong>Bypass it all.</strong> Any SQL write counts:<code>sqlite3 ${escape(file)} "UPDATE todos SET done = 1"</code></li>
  </ol>
  <section class="second" aria-labelledby="second">
    <div>
      <h2 id="second">Who sees what</h2>
      <p>In the second example people sign in. Rules on the server say which rows and columns reach whose browser, live and after any absence, and what each may write.</p>
      <p class="links"><a class="button" href="team_notes/">Open the team notes</a></p>
    </div>
    <pre tabindex="0"><code>${escape(rules)}</code></pre>
  </section>
  <section class="second" aria-labelledby="third">
    <div>
      <h2 id="third">Two people, one form</h2>
      <p>Each field is written by itself: who edits different ones, also offline, does not meet at all. The same one is asked about on the page, beside the field, with both values.</p>
      <p class="links"><a class="button" href="shared-form/?as=ada">Open the party plan</a></p>
    </div>
    <pre tabindex="0"><code>${escape(settling)}</code></pre>
  </section>
</main>
<footer><a href="todo_sync/">The todos in a window of their own</a></footer>
</body>
</html>
`
}
