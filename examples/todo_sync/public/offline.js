// Offline on purpose, before the first connection is made: the switch outlives a reload. For this window only; a browser
// may refuse to remember anything. For whichever of the two scripts the page has.
window.offlineSync = window.rhtmxSync ?? window.RHTMXFieldSync
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
    if (on) window.offlineSync.disconnect()
    else window.offlineSync.connect()
  },
}
if (window.offlineSwitch.on) window.offlineSync.disconnect()
