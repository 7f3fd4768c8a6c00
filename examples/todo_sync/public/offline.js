// Offline on purpose, before the first connection is made: the switch outlives a reload. For this window only; a browser
// may refuse to remember anything.
window.offlineSwitch = {
  get on() {
    try {
      return sessionStorage.getItem('offline') === 'yes'
    } catch {
      return false
    }
  },
  set on(on) {
    try {
      sessionStorage.setItem('offline', on ? 'yes' : 'no')
    } catch {
      // then it is forgotten
    }
    if (on) window.rhtmxSync.disconnect()
    else window.rhtmxSync.connect()
  },
}
if (window.offlineSwitch.on) window.rhtmxSync.disconnect()
