// Properties that only the scripts of a page know, and that have shorter names there. A name is in this list only if
// nobody else sees it: it is on no wire and no disk, in no message between tabs, in nothing that a page is given, and no
// name of the platform's that a script uses. All scripts get the same names, because they work on the same objects;
// what is used most comes first, and gets a name of one letter.
const known =
  'identity record crew replica asked puts lane commits carrier role bytes connector ' +
  'removes alias broken queue behind buffered overlays again follows current discards early events ' +
  'heal rivals desired disk news others stage waiting doomed handles cleared durable transports ' +
  'deletes drafts effects frames chance claim parts refusals exclusive loading until complain ' +
  'loaded opening refused entry flaps paused saveIdentity touched committed notes onDisk onGone ' +
  'said saying staged temporary tried hooks late maxPayload proven running syncs tidying turn ' +
  'unique unwatch wires flying listeners moulted owed pairs policy posting rowsLost shelves shows ' +
  'granted initial isReady jitter notify raised settled shapes views welcomedAt factor fenced ' +
  'longPollTransport numbers onHint onwards queueForm realId removed sseTransport ' +
  'unstored spelled watchers partial shifting upkeep desk home coming visiting homeless patience guest ' +
  'furnish parted busy welcomed forward carry answer announce strategyText deafen fresh hinted fired'

const names = known.split(' ')

/** For the bundler's `minify.mangleProps`. */
export const shortened = {
  include: new RegExp(`^(${names.join('|')})$`),
  cache: Object.fromEntries(
    names.map((name, i) => [name, i < 26 ? String.fromCharCode(65 + i) : `$${(i - 26).toString(36)}`]),
  ),
}
