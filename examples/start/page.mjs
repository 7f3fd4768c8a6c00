// The start page: one application in two browsers that know nothing of each other.
import { escape } from '../todo_sync/public/view.mjs'
import { secondBrowser } from '../todo_sync/web.mjs'

/**
 * @param {string} host the request's Host header
 * @param {string} file the example's database
 * @param {string} rules the access rules of the other example
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
      <p>In the other example people sign in. Rules on the server say which rows and columns reach whose browser, live and after any absence, and what each may write.</p>
      <p class="links"><a class="button" href="team_notes/">Open the team notes</a></p>
    </div>
    <pre><code>${escape(rules)}</code></pre>
  </section>
</main>
<footer><a href="todo_sync/">The todos in a window of their own</a></footer>
</body>
</html>
`
}
