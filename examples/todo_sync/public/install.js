// Starts the worker of sw.js, and tells it what this first visit has loaded without it.
if ('serviceWorker' in navigator) {
  navigator.serviceWorker.register('sw.js').catch(() => {})
  void navigator.serviceWorker.ready.then(({ active }) => {
    active.postMessage({ keep: [location.href.replace(/#.*/, '')] })
    const files = list => list.getEntries().filter(entry => !/fetch|xmlhttp|beacon/.test(entry.initiatorType))
    const tell = list => active.postMessage({ keep: files(list).map(entry => entry.name) })
    new PerformanceObserver(tell).observe({ type: 'resource', buffered: true })
  })
}
