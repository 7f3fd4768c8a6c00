// The one page.
import { escape, icon, lists } from './public/view.mjs'

const options = lists.map(list => `<option>${list}</option>`).join('')

const filters = ['All', ...lists]
  .map(
    (list, i) =>
      `<label class="chip"><input type="radio" name="filter" value="${i === 0 ? '' : list}" ${i === 0 ? 'checked' : ''}><span>${list} <b data-count="${i === 0 ? '' : list}"></b></span></label>`,
  )
  .join('')

/**
 * @param {{ file: string, script: string }} options where the database is, for those who want to write into it; and
 * where the client is, by the name of its content
 */
export function page({ file, script }) {
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <meta name="htmx-config" content='{"includeIndicatorStyles": false, "allowEval": false}'>
  <title>Todos · Syncline</title>
  <meta name="theme-color" content="#f4f3ee" media="(prefers-color-scheme: light)">
  <meta name="theme-color" content="#14171a" media="(prefers-color-scheme: dark)">
  <link rel="icon" href="icon.svg">
  <link rel="apple-touch-icon" href="icon-192.png">
  <link rel="manifest" href="manifest.webmanifest">
  <link rel="stylesheet" href="style.css">
  <script src="htmx.js"></script>
  <script src="${script}" data-sync-entities="todos"></script>
  <script src="offline.js"></script>
  <script src="install.js" defer></script>
  <script type="module" src="app.js"></script>
</head>
<body>
<header>
  <h1><img src="icon.svg" alt="" width="32" height="32">Todos</h1>
  <button type="button" id="pill" class="pill" aria-expanded="false" aria-controls="panel" data-state="connecting"><i></i><span id="word">connecting</span></button>
</header>
<p id="summary" class="summary" role="status"></p>

<div class="columns">
<main>
  <form id="add" class="add" autocomplete="off" method="post" action="add" data-rhtmx-form="todos" data-rhtmx-form-mode="always">
    <label class="hidden" for="title">What is to be done?</label>
    <input id="title" name="title" dir="auto" required pattern=".*\\S.*" maxlength="120" placeholder="What is to be done?" enterkeyhint="done">
    <label class="hidden" for="list">List</label>
    <select id="list" name="list">${options}</select>
    <button class="primary">Add</button>
  </form>

  <div id="notices" class="notices" role="log" aria-label="Notices"></div>

  <section id="letters" class="letters" aria-labelledby="letters-title" hidden>
    <h2 id="letters-title">Could not be saved</h2>
    <ul></ul>
  </section>

  <fieldset class="chips"><legend class="hidden">Show</legend>${filters}</fieldset>

  <ul id="rows" class="rows" aria-label="Todos" hx-get="rows" hx-trigger="load, rhtmx:todos:changed from:body"></ul>
  <p id="empty" class="empty" tabindex="-1" hidden>Nothing to do here.</p>
  <p class="after"><button type="button" id="clear" class="link" hx-post="clear-done" hx-swap="none" hidden>Delete what is done</button></p>
</main>

<aside id="panel" class="panel" aria-labelledby="panel-title">
  <h2 id="panel-title">Connection</h2>
  <p class="switch"><label for="offline">Work offline<small>Edit on, reload if you like. It is sent when you come back.</small></label><input type="checkbox" role="switch" id="offline"></p>
  <dl>
    <dt>State</dt><dd id="state">connecting</dd>
    <dt>Transport</dt><dd id="transport">–</dd>
    <dt>Waiting to be sent</dt><dd id="pending">0</dd>
    <dt>Oldest unsent</dt><dd id="oldest">–</dd>
    <dt>Kept in</dt><dd id="storage">–</dd>
    <dt>Connected by</dt><dd id="leader">–</dd>
    <dt>Place in the log</dt><dd id="cursor">–</dd>
    <div id="again" hidden><dt>Next attempt</dt><dd id="retry">–</dd></div>
    <dt>Last event</dt><dd id="event"><code>–</code></dd>
  </dl>
  <h3>Try it</h3>
  <ol>
    <li><a href="./" target="_blank" rel="noopener">Open a second window</a> and put them side by side.</li>
    <li>Work offline in one, edit both, come back.</li>
    <li>Or write with any SQL tool:
      <pre tabindex="0"><code>sqlite3 ${escape(file)} \\
  "UPDATE todos SET done = 1"</code></pre></li>
  </ol>
</aside>
</div>

<dialog id="edit" aria-labelledby="edit-title">
  <form method="dialog" autocomplete="off">
    <h2 id="edit-title">Edit</h2>
    <label>Title <input name="title" dir="auto" required pattern=".*\\S.*" maxlength="120"></label>
    <label>List <select name="list">${options}</select></label>
    <label>Notes <textarea name="notes" dir="auto" rows="3" maxlength="1000"></textarea></label>
    <p class="buttons"><button type="button" class="plain" data-act="cancel">Cancel</button><button class="primary" value="save">${icon('check')}Save</button></p>
  </form>
</dialog>
</body>
</html>
`
}
